"""Models made for vectors, where each token sees those behind it as well."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model_manager.engine import embeddings
from model_manager.engine.embeddings import Embedder
from model_manager.engine.llama.model import load
from model_manager.errors import NotEnoughMemory
from model_manager.types import LoadPlan
from tests.helpers.ggufs import write_model

TOKENS = [5 + i % 12 for i in range(50)]


def vector(path: Path) -> NDArray[np.float32]:
    context = load(LoadPlan(path, n_ctx_tokens=256, n_threads=1), lambda _permille: None)
    try:
        return Embedder(context).embed([TOKENS], threading.Event()).vectors[0]
    finally:
        context.close()


def test_tokens_that_see_each_other_are_computed_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = write_model(tmp_path / "usual.gguf", n_ctx_tokens=256)
    both_ways = write_model(
        tmp_path / "both.gguf", n_ctx_tokens=256, metadata={"llama.attention.causal": False}
    )
    found = vector(usual), vector(both_ways)
    assert not np.allclose(*found, atol=1e-3), "the same weights, but each token sees more"
    monkeypatch.setattr(embeddings, "_ROWS", 7)
    assert np.allclose(vector(usual), found[0], atol=1e-4)
    assert np.allclose(vector(both_ways), found[1], atol=1e-4)


def test_what_does_not_fit_into_memory_is_refused_and_hurts_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "m.gguf", n_ctx_tokens=4096)
    context = load(LoadPlan(path, n_ctx_tokens=4096, n_threads=1), lambda _permille: None)
    try:
        embedder = Embedder(context)
        before = embedder.embed([TOKENS], threading.Event()).vectors
        with monkeypatch.context() as full:
            full.setattr("model_manager.engine.llama.model.free_main_memory_bytes", lambda: 1000)
            with pytest.raises(NotEnoughMemory):
                embedder.embed([[5] * 3000], threading.Event())
        assert np.array_equal(embedder.embed([TOKENS], threading.Event()).vectors, before)
    finally:
        context.close()
