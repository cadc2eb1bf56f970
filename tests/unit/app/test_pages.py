"""What the pages about models are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import pages
from app.discovering import Hit
from model_manager import catalogue
from model_manager.file_facts import facts_of
from model_manager.fit import FitPlan, Machine, MemoryParts
from model_manager.fit_places import split
from model_manager.shards import read_model
from model_manager.types import ALL_LAYERS, HubFacts
from tests.helpers.ggufs import QWEN3MOE, write_model

GB = 10**9
MEMORY = MemoryParts(1 * GB, 16 * GB, 2 * GB, 1 * GB, 1 * GB)


def plan(reason: str, *, gpu: int = 0, cpu_experts: int = 0) -> FitPlan:
    return FitPlan(8192, "f16", gpu, cpu_experts, 512, reason)


def test_the_catalogue_is_told_whole_and_what_was_verified() -> None:
    seen = catalogue.entries()[0].repo_id
    found = pages.suggestions({seen: {"at": "2026-01-01"}})
    assert len(found.entries) == len(catalogue.entries())
    assert [entry.repo_id for entry in found.entries if entry.is_verified] == [seen]
    assert found.ram_bytes > 0
    assert {entry.verdict for entry in found.entries} <= {"fits", "tight", "does_not_fit"}


def test_a_size_is_guessed_only_where_parameters_are_known() -> None:
    known, unknown = pages.found([Hit(HubFacts("a/b", total_params=8 * GB)), Hit(HubFacts("c/d"))])
    assert 4 * GB < known.offer_bytes < 6 * GB
    assert known.verdict
    assert (unknown.offer_bytes, unknown.verdict) == (0, "")


@pytest.mark.parametrize(
    ("wanted", "device_gb", "main_gb"),
    [
        (plan("no_device"), 0, 21),
        (plan("all_on_device", gpu=999), 21, 0),
        (plan("experts_in_ram", gpu=999, cpu_experts=ALL_LAYERS), 5, 16),
        (plan("experts_in_ram", gpu=999, cpu_experts=12), 17, 4),
        (plan("layers_split", gpu=12), 5.25, 15.75),
    ],
)
def test_every_byte_goes_somewhere(wanted: FitPlan, device_gb: float, main_gb: float) -> None:
    uses = pages.memory_uses(split(MEMORY, wanted, 48, 0), Machine(32 * GB, 24 * GB, 40 * GB))
    by_kind = {use.kind: use for use in uses}
    assert by_kind["device"].model_bytes == pytest.approx(device_gb * GB)
    assert by_kind["main"].model_bytes == pytest.approx(main_gb * GB)
    assert by_kind["main"].capacity_bytes - by_kind["main"].taken_bytes == 32 * GB


def test_what_pages_is_experts_on_the_disk() -> None:
    main, disk = pages.memory_uses(split(MEMORY, plan("no_device"), 48, 5 * GB), Machine(16 * GB))
    assert disk.kind == "disk"
    assert disk.parts == (("experts", 5 * GB),)
    assert main.model_bytes == 16 * GB
    assert dict(main.parts)["experts"] == 11 * GB


def test_what_is_in_a_file(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", QWEN3MOE, n_experts=4, metadata={"general.license": "mit"})
    figures = pages.file_figures(facts_of(read_model(path)))
    assert figures.license == "mit"
    experts = next(share for share in figures.shares if share.kind == "experts")
    assert [name for name, _n_tensors in experts.types] == ["F32"]
    assert experts.size_bytes > 0
    assert (figures.template_verdict, figures.template_changes) == ("unknown", ())
