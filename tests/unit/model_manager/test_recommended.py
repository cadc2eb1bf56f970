"""What the makers of a model recommend for choosing its tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_manager.gguf import read_header
from model_manager.library import Library
from model_manager.recommended import filled, kept_sampling, recommended_sampling
from tests.helpers.ggufs import write_model
from tests.helpers.shelf import Shelf


def test_values_of_the_file_get_our_names(tmp_path: Path) -> None:
    told = {"general.sampling.temp": 0.6, "general.sampling.top_k": 20, "general.sampling.min_p": 0.0}
    header = read_header(write_model(tmp_path / "m.gguf", metadata=told))
    assert recommended_sampling(header) == {"temperature": 0.6, "top_k": 20, "min_p": 0.0}


def test_file_that_recommends_nothing(tmp_path: Path) -> None:
    assert recommended_sampling(read_header(write_model(tmp_path / "m.gguf"))) == {}


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), 101.0, "warm", True])
def test_nonsense_is_left_out(tmp_path: Path, value: object) -> None:
    told = {"general.sampling.temp": value, "general.sampling.top_p": 0.9}
    assert recommended_sampling(read_header(write_model(tmp_path / "m.gguf", metadata=told))) == {
        "top_p": 0.9
    }


def test_entry_of_the_library_has_them(tmp_path: Path) -> None:
    shelf = Shelf()
    path = write_model(tmp_path / "m.gguf", metadata={"general.sampling.temp": 0.25})
    name = Library(shelf, tmp_path / "models").import_path(path).name
    assert Library(shelf, tmp_path / "models").get(name).sampling == {"temperature": 0.25}


@pytest.mark.parametrize("values", [None, [], "warm", {"temperature": "warm", "seed": 3, "top_p": True}])
def test_damaged_memory_recommends_nothing(values: object) -> None:
    assert kept_sampling(values) == {}


def test_a_request_that_says_something_keeps_it() -> None:
    asked = {"temperature": 0, "top_p": None, "messages": []}
    assert filled(asked, {"temperature": 0.6, "top_p": 0.9, "top_k": 20}) == {
        "temperature": 0,
        "top_p": 0.9,
        "top_k": 20,
        "messages": [],
    }
