from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from model_manager import catalogue
from model_manager.types import HubFacts, HubFile, HubModel

ROOT = Path(catalogue.__file__).parent.parent


def test_every_tier_has_models() -> None:
    entries = catalogue.entries()
    assert {entry.tier_gib for entry in entries} == set(catalogue.TIERS_GIB)
    assert (catalogue.TIERS_GIB[0], catalogue.TIERS_GIB[-1]) == (4, 128)
    assert len({entry.repo_id for entry in entries}) == len(entries)


@pytest.mark.parametrize("entry", catalogue.entries(), ids=lambda entry: entry.repo_id)
def test_entries_are_sound(entry: catalogue.CatalogueEntry) -> None:
    assert 0 < entry.active_params < entry.total_params
    assert set(entry.character) == {"en", "zh_CN"}
    assert all(text and "\n" not in text for text in entry.character.values())
    assert bool(entry.license) or entry.license_mark == "unknown"
    bits = 8 * entry.size_bytes / entry.total_params
    assert 3.4 < bits < 6, "of about four bits"
    assert entry.size_bytes < entry.tier_gib * 2**30, "else nobody could run it there"


def test_it_is_in_the_package() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    assert "catalogue.toml" in data["model_manager"]


@pytest.mark.parametrize(
    ("ram_gib", "tier"), [(2, None), (4, 4), (3.8, None), (7.7, 8), (15.5, 16), (48, 32), (1000, 128)]
)
def test_tier_of_a_machine(ram_gib: float, tier: int | None) -> None:
    assert catalogue.tier_of(ram_gib) == tier


def test_what_the_hub_tells_otherwise() -> None:
    entry = catalogue.find("GGML-org/GPT-oss-20b-gguf")
    assert entry is not None

    def differing(files: tuple[str, ...], facts: HubFacts | None) -> list[str]:
        model = HubModel(entry.repo_id, "c", tuple(HubFile(name, 1, None) for name in files), facts=facts)
        return [difference.what for difference in catalogue.differences(entry, model)]

    repo = entry.repo_id
    assert differing(("a-mxfp4.gguf",), None) == []
    assert differing(("a-mxfp4.gguf",), HubFacts(repo)) == []
    same = HubFacts(repo, architecture="gpt-oss", total_params=20_914_757_184)
    assert differing(("a-mxfp4.gguf",), same) == []
    other = HubFacts(repo, architecture="llama", total_params=7 * 10**9)
    assert differing(("README.md",), other) == ["files", "architecture", "parameters"]
    assert catalogue.find("nobody/nothing") is None
