"""What the pages about models are given."""

from __future__ import annotations

from pathlib import Path

from app import pages
from app.discovering import Hit
from model_manager import catalogue
from model_manager.file_facts import facts_of
from model_manager.fit_types import Machine, MemoryParts, Places
from model_manager.shards import read_model
from model_manager.types import HubFacts
from tests.helpers.ggufs import QWEN3MOE, write_model

GB = 10**9
NOTHING = MemoryParts(0, 0, 0, 0, 0)


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


def test_a_bar_for_each_memory_that_has_a_part() -> None:
    places = Places(MemoryParts(1 * GB, 4 * GB, 2 * GB, 1 * GB, 1 * GB), MemoryParts(0, 12 * GB, 0, 0, 0), 0)
    device, main = pages.memory_uses(places, Machine(32 * GB, 24 * GB, 40 * GB))
    assert (device.kind, device.model_bytes, device.capacity_bytes) == ("device", 9 * GB, 24 * GB)
    assert (main.kind, main.parts) == ("main", (("experts", 12 * GB),))
    assert main.capacity_bytes - main.taken_bytes == 32 * GB


def test_what_pages_is_experts_on_the_disk() -> None:
    places = Places(NOTHING, MemoryParts(1 * GB, 11 * GB, 2 * GB, 1 * GB, 1 * GB), 5 * GB)
    main, disk = pages.memory_uses(places, Machine(16 * GB))
    assert disk.kind == "disk"
    assert disk.parts == (("experts", 5 * GB),)
    assert main.model_bytes == 16 * GB


def test_what_is_in_a_file(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf", QWEN3MOE, n_experts=4, metadata={"general.license": "mit"})
    figures = pages.file_figures(facts_of(read_model(path)))
    assert figures.license == "mit"
    experts = next(share for share in figures.shares if share.kind == "experts")
    assert [name for name, _n_tensors in experts.types] == ["F32"]
    assert experts.size_bytes > 0
    assert (figures.template_verdict, figures.template_changes) == ("unknown", ())
