"""What is chosen where nobody has asked, and where it would lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_manager.best_fit import Wishes, best_fit
from model_manager.disk_speed import measure_disk
from model_manager.fit import fit
from model_manager.fit_types import DEVICE_RESERVE_BYTES, Machine
from model_manager.kv_cache import ContextSize
from model_manager.shards import GgufModel, read_model
from tests.helpers.shapes import BIG_SHAPES, write_shape

GIB = 2**30


def model_of(name: str, folder: Path) -> GgufModel:
    shape = next(shape for shape in BIG_SHAPES if shape.name == name)
    return read_model(write_shape(folder / f"{name}.gguf", shape))


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> GgufModel:
    return model_of("qwen3-30b-a3b", tmp_path_factory.mktemp("shape"))


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> GgufModel:
    """4.5 GiB of weights; 8192 tokens take 1 GiB in 16 bits."""
    return model_of("llama-8b", tmp_path_factory.mktemp("shape"))


def needs(model: GgufModel, n_ctx_tokens: int) -> int:
    return fit(model, Machine(1 << 50), ContextSize(n_ctx_tokens)).memory.total_bytes


def test_with_room_the_usual_context_is_taken(dense: GgufModel) -> None:
    choice = best_fit(dense, Machine(64 * GIB), Wishes())
    assert (choice.context.n_ctx_tokens, choice.context.cache_type_k, choice.reason) == (8192, "f16", "usual")
    assert (choice.fit.plan.n_ctx_tokens, choice.fit.plan.cache_type) == (8192, "f16")


def test_first_keys_and_values_get_smaller_then_the_context_shorter(dense: GgufModel) -> None:
    room = needs(dense, 8192) - 100 * 2**20
    choice = best_fit(dense, Machine(room), Wishes())
    assert (choice.context.n_ctx_tokens, choice.context.cache_type_k) == (8192, "q8_0")
    assert choice.reason == "smaller_values"
    shorter = best_fit(dense, Machine(needs(dense, 3072)), Wishes())
    assert shorter.reason == "shorter"
    assert 2048 <= shorter.context.n_ctx_tokens <= 3072
    assert shorter.fit.verdict in ("fits", "tight")


def test_what_was_asked_for_is_never_changed(dense: GgufModel) -> None:
    room = Machine(needs(dense, 8192) - 100 * 2**20)
    assert best_fit(dense, room, Wishes(cache_type="f16")).context.cache_type_k == "f16"
    asked = best_fit(dense, room, Wishes(8192, "f16"))
    assert (asked.fit.verdict, asked.reason) == ("does_not_fit", "asked")
    hopeless = best_fit(dense, Machine(GIB), Wishes())
    assert (hopeless.fit.verdict, hopeless.context.n_ctx_tokens) == ("does_not_fit", 8192)


def test_experts_in_main_memory_get_long_batches(mixture: GgufModel) -> None:
    beside_a_card = best_fit(mixture, Machine(64 * GIB, 8 * GIB), Wishes()).fit
    short = fit(mixture, Machine(64 * GIB, 8 * GIB), ContextSize(8192)).plan
    assert beside_a_card.plan.n_batch_tokens == 2048
    assert 0 <= beside_a_card.plan.n_cpu_expert_layers - short.n_cpu_expert_layers <= 2
    assert best_fit(mixture, Machine(64 * GIB, 32 * GIB), Wishes()).fit.plan.n_batch_tokens == 2048
    assert best_fit(mixture, Machine(64 * GIB), Wishes()).fit.plan.n_batch_tokens == 512


@pytest.mark.parametrize("vram_gib", [0, 1, 3, 12, 64])
@pytest.mark.parametrize("ram_gib", [8, 64])
def test_the_parts_of_the_bar_are_the_whole(mixture: GgufModel, ram_gib: int, vram_gib: int) -> None:
    machine = Machine(ram_gib * GIB, vram_gib * GIB)
    found = fit(mixture, machine, ContextSize(8192))
    places = found.places
    together = places.device.total_bytes + places.ram.total_bytes + places.paged_bytes
    assert together == found.memory.total_bytes
    assert (places.paged_bytes > 0) is (found.verdict == "pages")
    assert min(places.device.total_bytes, places.ram.other_bytes) >= 0
    assert places.device.total_bytes <= max(0, machine.vram_bytes - DEVICE_RESERVE_BYTES)
    if found.verdict in ("fits", "tight") and vram_gib == 0:
        assert places.ram.total_bytes <= machine.ram_bytes


def test_a_disk_is_measured_where_there_is_a_large_file(tmp_path: Path) -> None:
    assert measure_disk(tmp_path / "none") is None
    small = tmp_path / "small"
    small.write_bytes(bytes(1000))
    assert measure_disk(small) is None
    large = tmp_path / "large"
    large.write_bytes(bytes(65 << 20))
    rate = measure_disk(large)
    assert rate is None or rate > 0, "some file systems have no way around their cache"
