from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model_manager.anatomy import LayerBytes, anatomy_of
from model_manager.fit import fit
from model_manager.fit_types import DEVICE_RESERVE_BYTES, Machine
from model_manager.kv_cache import ContextSize
from model_manager.shards import GgufModel, read_model
from model_manager.speed import TokenReads
from model_manager.types import ALL_LAYERS
from tests.helpers.ggufs import LLAMA, write_model
from tests.helpers.real_shapes import glm_air
from tests.helpers.shapes import BIG_SHAPES, write_shape

GIB = 2**30
CONTEXT = ContextSize(8192)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> GgufModel:
    """The shape of Qwen3-30B-A3B at four bits: 16 GiB, 15.2 of them experts."""
    shape = next(shape for shape in BIG_SHAPES if shape.name == "qwen3-30b-a3b")
    return read_model(write_shape(tmp_path_factory.mktemp("shape") / "m.gguf", shape))


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> GgufModel:
    shape = next(shape for shape in BIG_SHAPES if shape.name == "llama-8b")
    return read_model(write_shape(tmp_path_factory.mktemp("shape") / "m.gguf", shape))


@pytest.mark.parametrize(
    ("ram_gib", "verdict"), [(64, "fits"), (18, "tight"), (8, "pages"), (1, "does_not_fit")]
)
def test_verdict_of_a_mixture(mixture: GgufModel, ram_gib: int, verdict: str) -> None:
    found = fit(mixture, Machine(ram_gib * GIB), CONTEXT)
    assert found.verdict == verdict
    assert (found.paged_bytes > 0) is (verdict in ("pages", "does_not_fit"))


def test_a_dense_model_cannot_page(dense: GgufModel) -> None:
    assert fit(dense, Machine(5 * GIB), CONTEXT).verdict == "does_not_fit"


def test_the_longest_context_fits_and_a_longer_one_does_not(dense: GgufModel) -> None:
    machine = Machine(8 * GIB)
    longest = fit(dense, machine, CONTEXT).fits_ctx_tokens
    assert 8192 < longest < 131072
    assert fit(dense, machine, ContextSize(longest)).paged_bytes == 0
    assert fit(dense, machine, ContextSize(longest + 256)).paged_bytes > 0
    assert fit(dense, Machine(1 * GIB), CONTEXT).fits_ctx_tokens == 0


def test_smaller_keys_and_values_take_less(dense: GgufModel) -> None:
    small = ContextSize(8192, cache_type_k="q8_0", cache_type_v="q8_0")
    machine = Machine(64 * GIB)
    whole, half = fit(dense, machine, CONTEXT).memory, fit(dense, machine, small).memory
    assert half.kv_bytes == whole.kv_bytes * 34 // 64
    assert half.attention_bytes == whole.attention_bytes


@pytest.mark.parametrize(
    ("vram_gib", "reason", "n_gpu_layers", "n_cpu_expert_layers"),
    [
        (0, "no_device", 0, 0),
        (32, "all_on_device", 999, 0),
        (1, "layers_split", None, ALL_LAYERS),
    ],
)
def test_what_goes_to_the_graphics_card(
    mixture: GgufModel, vram_gib: float, reason: str, n_gpu_layers: int | None, n_cpu_expert_layers: int
) -> None:
    plan = fit(mixture, Machine(64 * GIB, int(vram_gib * GIB)), CONTEXT).plan
    assert plan.reason == reason
    assert n_gpu_layers is None or plan.n_gpu_layers == n_gpu_layers
    assert n_cpu_expert_layers == plan.n_cpu_expert_layers


def test_all_experts_stay_in_main_memory_where_only_the_rest_fits(mixture: GgufModel) -> None:
    memory = fit(mixture, Machine(64 * GIB), CONTEXT).memory
    just = memory.total_bytes - memory.experts_bytes + DEVICE_RESERVE_BYTES + 1
    plan = fit(mixture, Machine(64 * GIB, just), CONTEXT).plan
    assert (plan.reason, plan.n_gpu_layers, plan.n_cpu_expert_layers) == ("experts_in_ram", 999, ALL_LAYERS)


def test_some_layers_of_experts_go_to_the_card_where_there_is_room(mixture: GgufModel) -> None:
    found = fit(mixture, Machine(64 * GIB, 12 * GIB), CONTEXT)
    n_in_ram = found.plan.n_cpu_expert_layers
    assert 0 < n_in_ram < 48
    per_layer = found.memory.experts_bytes // 48
    assert found.places.ram.experts_bytes == n_in_ram * per_layer
    on_card = found.places.device.total_bytes
    assert on_card <= 12 * GIB - DEVICE_RESERVE_BYTES < on_card + per_layer


def test_layers_without_experts_and_those_that_guess_ahead_are_counted_as_what_they_are(
    tmp_path: Path,
) -> None:
    model = read_model(glm_air(tmp_path / "m.gguf"))
    found = fit(model, Machine(128 * GIB, 12 * GIB), CONTEXT)
    assert found.anatomy.layers[0].experts_bytes == 0
    assert found.anatomy.layers[46] == LayerBytes()
    n_on_card = 46 - found.plan.n_cpu_expert_layers
    assert found.places.device.experts_bytes == n_on_card * found.anatomy.layers[1].experts_bytes > 0
    assert found.places.device.total_bytes <= 12 * GIB - DEVICE_RESERVE_BYTES


def test_each_memory_must_have_room_for_its_part(mixture: GgufModel) -> None:
    """Free graphics memory that no whole layer fits into does not help a full main memory."""
    card = Machine(64 * GIB, 4 * GIB)
    needed = fit(mixture, card, CONTEXT).places.ram.total_bytes
    assert fit(mixture, replace(card, ram_bytes=needed), CONTEXT).verdict == "tight"
    short = fit(mixture, replace(card, ram_bytes=needed - 2**20), CONTEXT)
    assert (short.verdict, short.paged_bytes) == ("pages", 2**20)


def test_a_small_card_takes_attention_of_a_mixture_and_whole_layers_of_others(
    mixture: GgufModel, dense: GgufModel
) -> None:
    attention = fit(mixture, Machine(64 * GIB, GIB), CONTEXT)
    assert attention.places.device.experts_bytes == 0
    assert attention.places.device.kv_bytes > 0
    whole = fit(dense, Machine(64 * GIB, 4 * GIB), CONTEXT)
    assert (whole.plan.reason, whole.plan.n_cpu_expert_layers) == ("layers_split", 0)
    assert 0 < whole.plan.n_gpu_layers < 32
    assert 3 * GIB < whole.places.device.total_bytes <= 4 * GIB - DEVICE_RESERVE_BYTES


def test_a_table_that_also_makes_logits_is_copied_to_the_card(tmp_path: Path) -> None:
    whole = read_model(write_model(tmp_path / "m.gguf", LLAMA, n_experts=8))
    tensors = tuple(tensor for tensor in whole.header.tensors if tensor.name != "output.weight")
    model = replace(whole, headers=(replace(whole.header, tensors=tensors),))
    assert anatomy_of(model).is_tied
    here, there = (fit(model, Machine(GIB, vram), CONTEXT) for vram in (0, GIB))
    assert there.plan.reason == "all_on_device"
    assert there.memory.total_bytes - here.memory.total_bytes == there.anatomy.output_bytes


def test_what_a_token_reads_lies_where_its_layers_do(mixture: GgufModel) -> None:
    in_ram = fit(mixture, Machine(64 * GIB), CONTEXT)
    together = in_ram.anatomy.token_bytes + in_ram.memory.kv_bytes / 2
    assert in_ram.token_reads == TokenReads(pytest.approx(together), 0, 0)
    both = fit(mixture, Machine(64 * GIB, 8 * GIB), CONTEXT).token_reads
    assert both.ram_bytes + both.device_bytes == pytest.approx(together)
    assert both.ram_bytes < both.device_bytes
    paged = fit(mixture, Machine(8 * GIB), CONTEXT)
    assert paged.token_reads.disk_bytes == pytest.approx(paged.paged_bytes / 16)
