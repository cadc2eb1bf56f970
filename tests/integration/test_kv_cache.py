"""The size of a context from the header alone, against what llama.cpp itself says of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from model_manager.engine.probe import Prober
from model_manager.kv_cache import ContextSize, cache_bytes
from model_manager.shards import read_model
from model_manager.types import KvType, LoadPlan
from tests.helpers.ggufs import (
    DEEPSEEK2,
    GLM4MOE,
    GPT_OSS,
    GRANITE_HYBRID,
    LFM2MOE,
    LLAMA,
    OLMOE,
    QWEN2VL,
    QWEN3,
    QWEN3MOE,
    Recipe,
    write_model,
)

COMMAND = (sys.executable, "-m", "model_manager.engine.probe")
RECIPES = (LLAMA, QWEN3, QWEN2VL, QWEN3MOE, DEEPSEEK2, GPT_OSS, OLMOE, GLM4MOE, LFM2MOE, GRANITE_HYBRID)
LOG_ROUNDING_BYTES = 2**20 // 100
"""llama.cpp tells two decimals of a MiB for each of its parts."""


def compare(path: Path, n_ctx_tokens: int, kv_type: KvType, n_parallel: int) -> None:
    plan = LoadPlan(
        path,
        n_ctx_tokens=n_ctx_tokens,
        n_parallel=n_parallel,
        cache_type_k=kv_type,
        cache_type_v=kv_type,
    )
    (told,) = Prober(COMMAND).forecast(plan).memory
    asked = ContextSize(n_ctx_tokens, n_parallel, plan.n_batch_tokens, kv_type, kv_type)
    counted = cache_bytes(read_model(path).header, asked)
    assert counted.kv_bytes == pytest.approx(told.kv_bytes, abs=2 * LOG_ROUNDING_BYTES)
    assert counted.state_bytes == pytest.approx(told.state_bytes, abs=2 * LOG_ROUNDING_BYTES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.architecture)
def test_every_kind_of_memory(tmp_path: Path, recipe: Recipe) -> None:
    n_experts = 0 if recipe in (LLAMA, QWEN3, QWEN2VL) else 8
    path = write_model(tmp_path / "m.gguf", recipe, n_experts=n_experts, n_layers=6, n_ctx_tokens=1 << 15)
    compare(path, 1 << 15, "f16", 4)
    compare(path, 3000, "f16", 1)


def test_other_number_formats(dense_path: Path) -> None:
    compare(dense_path, 8192, "q8_0", 4)
    compare(dense_path, 1000, "q4_0", 2)
