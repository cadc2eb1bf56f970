"""Plans that llama.cpp obeys, and plans that are refused before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.errors import BadExpertCount, BadOverride, RpcUnreachable, UnknownDevice
from model_manager.types import ALL_LAYERS, EngineInfo, LoadPlan
from tests.helpers.ggufs import LLAMA, write_model

Load = Callable[..., LlamaContext]
LOG_ROUNDING_BYTES = 2**20 / 200


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.gguf", LLAMA, n_experts=8)


@pytest.fixture
def load(mixture: Path) -> Iterator[Load]:
    """`load(**fields_of_the_plan)`: closed after the test."""
    made: list[LlamaContext] = []

    def make(**fields: Any) -> LlamaContext:
        plan = LoadPlan(mixture, n_ctx_tokens=256, n_threads=1, n_parallel=1, **fields)
        made.append(load_model(plan, lambda _permille: None))
        return made[-1]

    yield make
    for context in made:
        context.model.close()


def described(context: LlamaContext) -> EngineInfo:
    return context.model.describe(context)


def logits_after_a_token(context: LlamaContext) -> Any:
    batch = context.new_batch()
    row = batch.add(0, 0, [5, 6, 7], wants_logits=True)
    assert context.decode(batch) == 0
    return context.logits(row).copy()


def test_a_plain_load_says_where_everything_is(load: Load) -> None:
    placement = described(load()).placement
    assert placement is not None
    (main_memory,) = placement.memory
    assert main_memory.device == "CPU"
    assert main_memory.weights_bytes > 0
    kv_bytes = 2 * 256 * 2 * 2 * 16 * 2  # layers, cells, K and V, heads, head size, f16
    assert main_memory.kv_bytes == pytest.approx(kv_bytes, abs=LOG_ROUNDING_BYTES)
    assert placement.own_bytes > 0
    assert placement.n_layers_offloaded == 0
    assert placement.n_experts_used_trained == 2


def test_quantized_keys_and_values_take_less(load: Load, tmp_path: Path) -> None:
    # Rows of 32 numbers are the least that q8_0 and q4_0 can hold.
    path = write_model(
        tmp_path / "wide.gguf",
        n_ctx_tokens=4096,
        metadata={"llama.attention.head_count": 2, "llama.attention.head_count_kv": 1}
        | {f"llama.{key}": 32 for key in ("attention.key_length", "attention.value_length")}
        | {"llama.rope.dimension_count": 32},
    )
    sizes = {}
    for kind in ("f16", "q8_0", "q4_0"):
        plan = LoadPlan(
            path, n_ctx_tokens=4096, n_threads=1, n_parallel=1, cache_type_k=kind, cache_type_v=kind
        )
        context = load_model(plan, lambda _permille: None)
        placement = described(context).placement
        context.model.close()
        assert placement is not None
        assert placement.cache_type_k == kind
        sizes[kind] = placement.memory[0].kv_bytes
    assert sizes["q8_0"] == pytest.approx(sizes["f16"] * 34 / 64, abs=2 * LOG_ROUNDING_BYTES)
    assert sizes["q4_0"] == pytest.approx(sizes["f16"] * 18 / 64, abs=2 * LOG_ROUNDING_BYTES)


def test_smaller_steps_compute_in_less_memory(load: Load) -> None:
    whole, step = described(load()).placement, described(load(n_ubatch_tokens=32)).placement
    assert whole is not None
    assert step is not None
    assert step.memory[0].compute_bytes < whole.memory[0].compute_bytes


def test_weights_that_are_read_are_not_mapped(load: Load) -> None:
    mapped, read = described(load()).placement, described(load(load_mode="none")).placement
    assert mapped is not None
    assert read is not None
    assert mapped.memory[0].mapped_bytes == mapped.memory[0].weights_bytes
    assert read.memory[0].mapped_bytes == 0
    assert read.load_mode == "none"


def test_another_number_of_experts_answers_and_is_told(load: Load) -> None:
    usual, more = load(), load(n_experts_used=4)
    info = described(more)
    assert info.n_experts_used == 4
    assert info.placement is not None
    assert info.placement.n_experts_used_trained == 2
    assert not np.array_equal(logits_after_a_token(usual), logits_after_a_token(more))


def test_experts_on_the_processor_change_nothing_on_a_machine_without_devices(load: Load) -> None:
    usual, placed = load(), load(n_cpu_expert_layers=ALL_LAYERS, tensor_overrides=((r"blk\.1\.", "CPU"),))
    assert np.array_equal(logits_after_a_token(usual), logits_after_a_token(placed))


@pytest.mark.parametrize("pattern", [r"blk\.7\.", "no_such_tensor", "(", "a{2", "(?<=blk)x", ""])
def test_a_pattern_of_nothing_or_no_pattern_is_refused(load: Load, pattern: str) -> None:
    with pytest.raises(BadOverride) as caught:
        load(tensor_overrides=((pattern, "CPU"),))
    assert caught.value.pattern == pattern


def test_experts_of_a_dense_model_cannot_be_placed(dense_path: Path) -> None:
    plan = LoadPlan(dense_path, n_ctx_tokens=256, n_cpu_expert_layers=2)
    with pytest.raises(BadExpertCount):
        load_model(plan, lambda _permille: None)


def test_an_unknown_device_is_refused_with_those_there_are(load: Load) -> None:
    with pytest.raises(UnknownDevice) as caught:
        load(tensor_overrides=(("attn", "CUDA7"),))
    assert caught.value.known.split(", ")[0] == "CPU"


@pytest.mark.parametrize("n_experts_used", [9, -1])
def test_more_experts_than_there_are_cannot_be_active(load: Load, n_experts_used: int) -> None:
    with pytest.raises(BadExpertCount) as caught:
        load(n_experts_used=n_experts_used)
    assert (caught.value.n_experts_used, caught.value.n_experts) == (n_experts_used, 8)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:99999"])
def test_an_rpc_device_that_does_not_answer_is_an_error_and_no_crash(load: Load, endpoint: str) -> None:
    with pytest.raises(RpcUnreachable) as caught:
        load(rpc_devices=(endpoint,))
    assert caught.value.endpoint == endpoint
