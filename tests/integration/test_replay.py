"""The experts of an answer, computed again from its tokens: the starter, and every architecture there is."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model_manager.engine.llama import tensors
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.llama.tracing import Tracer
from model_manager.engine.replay import Replay
from model_manager.engine.routing import Routing, joined
from model_manager.errors import (
    EmptyPrompt,
    NotEnoughMemory,
    PromptTooLong,
    RequestRefused,
    TracingUnavailable,
)
from model_manager.types import LoadPlan
from tests.helpers.ggufs import (
    DEEPSEEK2,
    GLM4MOE,
    GPT_OSS,
    GRANITE_HYBRID,
    LFM2MOE,
    LLAMA,
    LLAMA4,
    OLMOE,
    QWEN3MOE,
    Recipe,
    write_model,
)

TEXT = "The harbour wakes before the town does. By five o'clock the first boats have passed the pier. " * 12


@pytest.fixture(scope="module")
def starter(starter_path: Path) -> Iterator[LlamaContext]:
    context = load_model(
        LoadPlan(starter_path, n_ctx_tokens=512, n_threads=1, n_parallel=1), lambda _permille: None
    )
    yield context
    context.model.close()


@pytest.fixture(scope="module")
def tokens(starter: LlamaContext) -> list[int]:
    return starter.vocabulary.tokenize(TEXT, special=False)[:240]


def routing(context: LlamaContext, tokens: list[int], first: int = 0) -> Routing:
    return joined([part for part in Replay(context, tokens, first).run() if part is not None])


def test_every_layer_has_two_experts_for_each_token(starter: LlamaContext, tokens: list[int]) -> None:
    found = routing(starter, tokens, first=40)
    assert (found.n_layers, found.n_experts, found.n_experts_used) == (30, 8, 2)
    assert found.layers == tuple(range(30))
    assert found.token_ids == tuple(tokens[40:])
    assert "".join(found.texts) in TEXT
    assert found.experts.shape == found.weights.shape == (30, 200, 2)
    assert found.experts.min() >= 0
    assert found.experts.max() < 8
    assert (found.experts[:, :, 0] != found.experts[:, :, 1]).all()
    assert np.abs(found.weights.sum(axis=2) - 1).max() < 1e-5
    assert (found.weights[:, :, 0] >= found.weights[:, :, 1]).all()


def test_what_comes_before_is_computed_and_not_shown(starter: LlamaContext, tokens: list[int]) -> None:
    whole, tail = routing(starter, tokens), routing(starter, tokens, first=200)
    agreement = (np.sort(whole.experts[:, 200:]) == np.sort(tail.experts)).all(axis=2).mean()
    assert agreement > 0.95  # not 1: the rows of a chunk are rounded differently in chunks of other sizes


def test_nothing_stays_behind(starter: LlamaContext, tokens: list[int]) -> None:
    before = list(starter.model._contexts)
    routing(starter, tokens[:8])
    assert starter.model._contexts == before


def test_cancelling_ends_it(starter: LlamaContext, tokens: list[int]) -> None:
    replay = Replay(starter, tokens, 0)
    threading.Timer(0.05, replay.cancel).start()
    seen = list(replay.run())
    assert sum(part.n_tokens for part in seen if part) < len(tokens)
    replay = Replay(starter, tokens, 0)
    replay.cancel()
    assert list(replay.run()) == []


def test_what_cannot_be_computed_is_refused(starter: LlamaContext) -> None:
    with pytest.raises(EmptyPrompt):
        Replay(starter, [], 0)
    with pytest.raises(EmptyPrompt):
        Replay(starter, [1, 2], 2)
    with pytest.raises(RequestRefused):
        Replay(starter, [1, 49152], 0)
    with pytest.raises(RequestRefused):
        Replay(starter, [-1], 0)
    with pytest.raises(PromptTooLong):
        Replay(starter, [1] * 8193, 0)


def test_what_does_not_fit_into_memory_is_refused(
    starter: LlamaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_manager.engine.llama.model.free_main_memory_bytes", lambda: 20_000_000)
    with pytest.raises(NotEnoughMemory) as caught:
        routing(starter, [1] * 4000, 3999)
    assert caught.value.needed_bytes > 90_000_000  # 23,040 bytes for the keys and values of each token
    assert routing(starter, [1] * 4).n_tokens == 4


def test_another_layout_is_refused_before_anything_is_read(
    starter: LlamaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Longer(ctypes.Structure):
        _fields_ = (
            *tensors.GgmlTensor._fields_[:-1],
            ("more", ctypes.c_void_p),
            ("name", ctypes.c_char * 64),
        )

    monkeypatch.setattr(tensors, "GgmlTensor", Longer)
    tensors.check_layout.cache_clear()
    with pytest.raises(TracingUnavailable, match="name of a tensor"):
        routing(starter, [1, 2, 3])
    monkeypatch.undo()
    tensors.check_layout.cache_clear()
    assert routing(starter, [1, 2, 3]).n_tokens == 3


def test_an_error_while_looking_ends_the_tracing_and_nothing_else(
    starter: LlamaContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Tracer, _address: int) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(Tracer, "_look", broken)
    with pytest.raises(TracingUnavailable, match="ZeroDivisionError"):
        routing(starter, [1, 2, 3])
    monkeypatch.undo()
    assert routing(starter, [1, 2, 3]).n_tokens == 3


def test_a_dense_model_has_no_experts(dense_path: Path) -> None:
    context = load_model(
        LoadPlan(dense_path, n_ctx_tokens=256, n_threads=1, n_parallel=1), lambda _permille: None
    )
    try:
        found = routing(context, [1, 2, 3])
    finally:
        context.model.close()
    assert (found.n_experts, found.layers, found.n_tokens) == (0, (), 3)
    assert found.experts.shape == (0, 3, 0)


@pytest.mark.parametrize(
    ("recipe", "layers", "sum_of_weights"),
    [
        (LLAMA, (0, 1), 1),
        (QWEN3MOE, (0, 1), 1),
        (DEEPSEEK2, (1,), 1),
        (GPT_OSS, (0, 1), 1),
        (OLMOE, (0, 1), None),  # the chosen ones of a softmax over all
        (GLM4MOE, (1,), 1),
        (LFM2MOE, (1,), 1),
        (GRANITE_HYBRID, (0, 1), 1),
        (LLAMA4, (0, 1, 2, 3), None),  # a sigmoid of each, which weighs what goes into the experts
    ],
    ids=lambda value: value.architecture if isinstance(value, Recipe) else "",
)
def test_every_architecture_shows_its_choices(
    tmp_path: Path, recipe: Recipe, layers: tuple[int, ...], sum_of_weights: float | None
) -> None:
    n_layers = 4 if recipe is LLAMA4 else 2  # llama.cpp expects the fourth, which has another attention
    path = write_model(tmp_path / "tiny.gguf", recipe, n_experts=8, n_experts_used=3, n_layers=n_layers)
    context = load_model(LoadPlan(path, n_ctx_tokens=256, n_threads=1, n_parallel=1), lambda _permille: None)
    try:
        found = routing(context, list(range(40, 104)), first=3)
    finally:
        context.model.close()
    assert found.layers == layers
    assert found.experts.shape == (len(layers), 61, 3)
    assert found.experts.min() >= 0
    assert found.experts.max() < 8
    assert all(len(set(row)) == 3 for table in found.experts.tolist() for row in table)
    assert len(np.unique(found.experts)) > 3
    assert (found.weights > 0).all()
    assert (found.weights <= 1 + 1e-6).all()
    if recipe is LLAMA4:  # were they read too late, they would be something else by then
        assert (np.diff(found.weights, axis=2) <= 0).all()
    if sum_of_weights is not None:
        assert np.abs(found.weights.sum(axis=2) - sum_of_weights).max() < 1e-5
