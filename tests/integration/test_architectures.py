"""Every architecture that the tests know answers in a real worker and takes what was forecast for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from model_manager.engine.probe import Prober
from model_manager.engine.supervisor import Supervisor
from model_manager.types import ChatFinished, ChatMessage, ChatRequest, LoadPlan, SamplingParams
from tests.helpers.ggufs import GRANITE_HYBRID, MIXTURES, QWEN3, Recipe, write_model
from tests.helpers.memory import peak_bytes

PROMPT = "the weather and the sea of the keeper. " * 40


@pytest.mark.parametrize(
    ("recipe", "n_experts"),
    [(QWEN3, 0), *((recipe, 8) for recipe in MIXTURES)],
    ids=lambda value: value.architecture if isinstance(value, Recipe) else "",
)
def test_an_architecture_answers_within_its_forecast(
    tmp_path: Path, new_supervisor: Callable[..., Supervisor], recipe: Recipe, n_experts: int
) -> None:
    path = write_model(tmp_path / "m.gguf", recipe, n_experts=n_experts, n_ctx_tokens=2048)
    plan = LoadPlan(path, n_parallel=2, n_threads=1, load_mode="none")
    (forecast,) = Prober((sys.executable, "-m", "model_manager.engine.probe")).forecast(plan).memory
    supervisor = new_supervisor()
    supervisor.start(plan)
    info = supervisor.wait_ready(60)
    assert info.architecture == recipe.architecture
    assert info.n_experts == n_experts
    request = ChatRequest((ChatMessage("user", PROMPT),), SamplingParams(temperature=0.0, max_tokens=8))
    *_, last = supervisor.client.chat(request)
    assert isinstance(last, ChatFinished)
    assert last.stop_reason in ("length", "stop")
    assert last.usage.prompt_tokens > 512, "more than a batch"
    placement = info.placement
    assert placement is not None
    (real,) = placement.memory
    assert replace(forecast, weights_bytes=0) == replace(real, weights_bytes=0), "figure for figure"
    # Each tensor begins at a multiple of 32 bytes in memory; the log has two decimals.
    assert forecast.weights_bytes == pytest.approx(real.weights_bytes, abs=2**20 // 100)
    assert (forecast.state_bytes > 0) == (recipe is GRANITE_HYBRID)  # 4 KiB of lfm2moe are 0.00 MiB
    assert supervisor.pid is not None
    taken = peak_bytes(supervisor.pid) - placement.own_bytes
    assert taken <= forecast.total_bytes * 1.01 + 16 * 2**20
