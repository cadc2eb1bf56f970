from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from model_manager.anatomy import LayerBytes, anatomy_of
from model_manager.shards import read_model
from tests.helpers.ggufs import GLM4MOE, GLM4MOE_MTP, LLAMA, QWEN3MOE, write_model
from tests.helpers.shapes import BIG_SHAPES, write_shape


def test_parts_add_up_to_the_file(tmp_path: Path) -> None:
    for recipe, n_experts in ((LLAMA, 0), (LLAMA, 8), (QWEN3MOE, 8)):
        model = read_model(write_model(tmp_path / "m.gguf", recipe, n_experts=n_experts))
        anatomy = anatomy_of(model)
        assert anatomy.size_bytes == sum(tensor.size_bytes for tensor in model.tensors())
        assert anatomy.total_params == sum(int(np.prod(tensor.shape)) for tensor in model.tensors())
        assert anatomy.token_bytes < anatomy.size_bytes
        assert (anatomy.experts_bytes > 0) is (n_experts > 0)


def test_counts_are_those_that_publishers_give(tmp_path: Path) -> None:
    shape = next(shape for shape in BIG_SHAPES if shape.name == "qwen3-30b-a3b")
    anatomy = anatomy_of(read_model(write_shape(tmp_path / "m.gguf", shape)))
    # "30.5B in total and 3.3B activated" (the model's card); the embedding is counted among the first alone.
    assert round(anatomy.total_params / 1e9, 1) == 30.5
    assert 2.9e9 < anatomy.active_params < 3.4e9
    assert anatomy.used_share == 8 / 128


def test_the_layer_that_guesses_ahead_does_not_count_with_any_of_its_tensors(tmp_path: Path) -> None:
    plain = read_model(write_model(tmp_path / "plain.gguf", GLM4MOE, n_experts=8, n_layers=2))
    guessing = read_model(write_model(tmp_path / "mtp.gguf", GLM4MOE_MTP, n_experts=8, n_layers=3))
    without = anatomy_of(plain)
    assert anatomy_of(guessing) == replace(without, layers=(*without.layers, LayerBytes()))
