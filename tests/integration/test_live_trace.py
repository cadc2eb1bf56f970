"""Tracing answers while they are made: the same tokens, and the experts that a replay finds, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model_manager.engine.jobs import CONTINUE, Feed, Verdict
from model_manager.engine.live_trace import TracingScheduler
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.replay import Replay
from model_manager.engine.routing import joined
from model_manager.engine.scheduler import Scheduler
from model_manager.types import LoadPlan, RecordedRouting, SamplingParams
from tests.helpers.answers import Recorder
from tests.helpers.ggufs import LLAMA, QWEN3MOE, write_model

GREEDY = SamplingParams(temperature=0, max_tokens=200)
QUESTION = "<|im_start|>user\nTell me about the sea.<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def plain(starter_path: Path) -> Iterator[LlamaContext]:
    yield from _loaded(LoadPlan(starter_path, n_ctx_tokens=1024, n_threads=1))


@pytest.fixture(scope="module")
def traced(starter_path: Path) -> Iterator[LlamaContext]:
    yield from _loaded(LoadPlan(starter_path, n_ctx_tokens=1024, n_threads=1, trace="live"))


def _loaded(plan: LoadPlan) -> Iterator[LlamaContext]:
    context = load_model(plan, lambda _permille: None)
    yield context
    context.model.close()


def scheduler_of(context: LlamaContext) -> Scheduler:
    tracer = context.plan.tracer
    scheduler = Scheduler(context) if tracer is None else TracingScheduler(context, tracer, None, None)
    scheduler.start()
    return scheduler


def answers(context: LlamaContext, prompts: list[list[int]], params: SamplingParams) -> list[Recorder]:
    """All of them at once, from an empty context."""
    for sequence_id in range(context.n_parallel):
        context.forget(sequence_id)
    scheduler = scheduler_of(context)
    recorders = [Recorder() for _ in prompts]
    for prompt, recorder in zip(prompts, recorders, strict=True):
        scheduler.submit(prompt, params, recorder)
    for recorder in recorders:
        recorder.wait()
    scheduler.close()
    return recorders


def experts_of(recorded: RecordedRouting | None) -> NDArray[np.int16]:
    assert recorded is not None
    return np.frombuffer(recorded.experts, "<i2").reshape(recorded.shape)


def agreement(context: LlamaContext, prompt: list[int], recorder: Recorder) -> float:
    """Share of layers and tokens in which a replay finds the same experts."""
    recorded = recorder.wait().routing
    found = [p for p in Replay(context, [*prompt, *recorder.token_ids], len(prompt)).run() if p is not None]
    replayed = joined(found).experts
    return float((np.sort(experts_of(recorded)) == np.sort(replayed)).all(axis=2).mean())


def test_tokens_are_the_same_and_a_replay_agrees(plain: LlamaContext, traced: LlamaContext) -> None:
    prompt = plain.vocabulary.tokenize(QUESTION, special=True)
    (untraced,) = answers(plain, [prompt], GREEDY)
    (recorder,) = answers(traced, [prompt], GREEDY)
    assert recorder.token_ids == untraced.token_ids
    assert untraced.wait().routing is None
    recorded = recorder.wait().routing
    assert recorded is not None
    assert recorded.shape == (30, len(recorder.token_ids), 2)
    assert recorded.layers == tuple(range(30))
    weights = np.frombuffer(recorded.weights, "<f2").reshape(recorded.shape).astype(np.float64)
    assert np.abs(weights.sum(axis=2) - 1).max() < 2e-3
    assert agreement(plain, prompt, recorder) >= 0.95


def test_several_answers_at_once_keep_their_own(traced: LlamaContext) -> None:
    prompts = [
        traced.vocabulary.tokenize(QUESTION.replace("sea", subject), special=True)
        for subject in ("sea", "art of baking bread", "moon and the stars above us")
    ]
    for prompt, recorder in zip(
        prompts, answers(traced, prompts, SamplingParams(temperature=0, max_tokens=24)), strict=True
    ):
        assert experts_of(recorder.wait().routing).shape == (30, len(recorder.token_ids), 2)
        assert agreement(traced, prompt, recorder) >= 0.95


@pytest.mark.parametrize("recipe", [LLAMA, QWEN3MOE], ids=lambda recipe: recipe.architecture)
def test_tokens_that_were_fed_are_traced_too(tmp_path: Path, recipe: object) -> None:
    path = write_model(tmp_path / "tiny.gguf", recipe, n_experts=8, n_experts_used=3)  # type: ignore[arg-type]  # a recipe
    context = load_model(LoadPlan(path, n_ctx_tokens=256, n_threads=1, trace="live"), lambda _: None)

    def feed(recorder: Recorder, _token_id: int) -> Verdict:
        return Feed((70, 71, 72)) if len(recorder.token_ids) == 3 else CONTINUE

    try:
        scheduler = scheduler_of(context)
        recorder = Recorder(feed)
        prompt = list(range(40, 60))
        scheduler.submit(prompt, SamplingParams(temperature=0, max_tokens=12, ignore_end=True), recorder)
        recorder.wait()
        scheduler.close()
        assert recorder.token_ids[3:6] == [70, 71, 72]
        assert experts_of(recorder.wait().routing).shape == (2, 12, 3)
        assert agreement(context, prompt, recorder) == 1
    finally:
        context.model.close()


def test_a_dense_model_is_not_traced(dense_path: Path) -> None:
    context = load_model(LoadPlan(dense_path, n_ctx_tokens=256, trace="live"), lambda _permille: None)
    assert context.plan.tracer is None
    context.model.close()
