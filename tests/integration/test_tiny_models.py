"""The tiny models that other tests build upon are real ones: llama.cpp loads them and computes with them."""

from pathlib import Path

import pytest

from model_manager.engine.llama.model import load as load_model
from model_manager.types import LoadPlan
from tests.helpers.ggufs import LLAMA, MIXTURES, QWEN3, Recipe, vocabulary, write_model


@pytest.mark.parametrize(
    ("recipe", "n_experts", "shard_tensors"),
    [(LLAMA, 0, 0), (LLAMA, 8, 5), (QWEN3, 0, 0), *((recipe, 8, 0) for recipe in MIXTURES)],
)
def test_a_tiny_model_loads(tmp_path: Path, recipe: Recipe, n_experts: int, shard_tensors: int) -> None:
    path = write_model(tmp_path / "tiny.gguf", recipe, n_experts=n_experts, shard_tensors=shard_tensors)
    model = load_model(LoadPlan(path, n_ctx_tokens=128, n_threads=1, n_parallel=1), lambda _permille: None)
    try:
        assert model.model.describe(model).architecture == recipe.architecture
        assert model.model.describe(model).n_experts == n_experts
        assert model.vocabulary.n_tokens == len(vocabulary())
        think = model.vocabulary.token_id("<think>")
        assert model.vocabulary.tokenize("the<think>", special=True) == [vocabulary().index("the"), think]
    finally:
        model.model.close()
