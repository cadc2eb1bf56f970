"""The forecast from a header against llama.cpp's own figures: 1 % and 16 MiB at most."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model_manager.anatomy import anatomy_of
from model_manager.engine.probe import Prober
from model_manager.fit import fit
from model_manager.fit_types import PROCESS_BYTES, Machine
from model_manager.kv_cache import ContextSize
from model_manager.shards import read_model
from model_manager.types import LoadPlan
from tests.helpers.ggufs import LLAMA, MIXTURES, QWEN3, Recipe, write_model
from tests.helpers.real_shapes import (
    deepseek_v3,
    gemma4_26b,
    glm_air,
    gpt_oss,
    kimi_k2,
    qwen3_30b,
    qwen36_35b,
)
from tests.helpers.shapes import BIG_SHAPES, Shape, write_shape

COMMAND = (sys.executable, "-m", "model_manager.engine.probe")
PLENTY = Machine(ram_bytes=1 << 42)


def compare(path: Path, n_ctx_tokens: int, n_batch_tokens: int = 512) -> None:
    plan = LoadPlan(path, n_ctx_tokens=n_ctx_tokens, n_batch_tokens=n_batch_tokens, load_mode="none")
    (told,) = Prober(COMMAND).forecast(plan).memory
    context = ContextSize(n_ctx_tokens, plan.n_parallel, n_batch_tokens)
    found = fit(read_model(path), PLENTY, context).memory
    assert found.total_bytes - PROCESS_BYTES == pytest.approx(told.total_bytes, rel=0.01, abs=16 * 2**20)
    assert found.compute_bytes == pytest.approx(told.compute_bytes, rel=0.25, abs=16 * 2**20)


@pytest.mark.parametrize("recipe", [QWEN3, *MIXTURES], ids=lambda recipe: recipe.architecture)
def test_tiny_models_of_every_kind(tmp_path: Path, recipe: Recipe) -> None:
    n_experts = 0 if recipe in (LLAMA, QWEN3) else 8
    path = write_model(tmp_path / "m.gguf", recipe, n_experts=n_experts, n_layers=4, n_ctx_tokens=1 << 14)
    compare(path, 1 << 14)


def test_the_starters(starter_path: Path, dense_path: Path) -> None:
    compare(starter_path, 8192)
    compare(dense_path, 2048, 128)


@pytest.mark.parametrize("shape", BIG_SHAPES, ids=lambda shape: shape.name)
def test_shapes_of_real_models(tmp_path: Path, shape: Shape) -> None:
    """Headers as large models have them, before files that take no room: nothing reads the weights."""
    path = write_shape(tmp_path / "m.gguf", shape)
    compare(path, 32768)
    compare(path, 8192, 2048)


@pytest.mark.parametrize(
    ("write", "total_billions", "active_billions"),
    [
        (deepseek_v3, 671, 37),
        (kimi_k2, 1026, 32),
        (glm_air, 107, 12.8),
        (gpt_oss, 117, 5.1),
        (qwen3_30b, 30.5, 3.0),
        (qwen36_35b, 34.7, 3.0),
        (gemma4_26b, 25.2, 3.8),
    ],
)
def test_models_that_people_know(
    tmp_path: Path, write: Callable[[Path], Path], total_billions: float, active_billions: float
) -> None:
    path = write(tmp_path / "m.gguf")
    compare(path, 8192)
    compare(path, 8192, 2048)
    anatomy = anatomy_of(read_model(path))
    assert anatomy.total_params / 1e9 == pytest.approx(total_billions, rel=0.005)
    assert anatomy.active_params / 1e9 == pytest.approx(active_billions, rel=0.02)
