from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from model_manager.errors import OnlyVision
from model_manager.library import Library
from model_manager.shards import read_model
from model_manager.types import ModelRecord
from model_manager.vision_files import find_mmproj, is_vision_file
from tests.helpers.ggufs import N_EMBD, write_model
from tests.helpers.mmprojs import write_mmproj


class Store(dict[str, ModelRecord]):
    """A store of the library that forgets everything with the test."""

    def list(self) -> list[ModelRecord]:
        return list(self.values())

    def put(self, record: ModelRecord) -> None:
        self[record.name] = record

    def delete(self, name: str) -> None:
        del self[name]


def test_the_tower_beside_a_model_is_found(tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "model.gguf"))
    assert find_mmproj(model) is None
    write_mmproj(tmp_path / "other-mmproj-F16.gguf", N_EMBD + 32)
    (tmp_path / "mmproj-broken.gguf").write_bytes(b"GGUF")
    assert find_mmproj(model) is None
    tower = write_mmproj(tmp_path / "mmproj-F32.gguf", N_EMBD)
    assert find_mmproj(model) == tower
    assert is_vision_file(read_model(tower))
    assert not is_vision_file(model)


@pytest.mark.parametrize("best", ["mmproj-BF16.gguf", "mmproj-model-f16.gguf"])
def test_the_best_precision_is_taken(tmp_path: Path, best: str) -> None:
    model = read_model(write_model(tmp_path / "model.gguf"))
    tower = write_mmproj(tmp_path / best, N_EMBD)
    for name in ("mmproj-F32.gguf", "mmproj-Q8_0.gguf", "a-mmproj.gguf"):
        shutil.copy(tower, tmp_path / name)
    assert find_mmproj(model) == tower


def test_a_tower_is_no_model(tmp_path: Path) -> None:
    library = Library(Store(), tmp_path / "models")  # type: ignore[arg-type]  # a dict gives None for a default
    with pytest.raises(OnlyVision):
        library.import_path(write_mmproj(tmp_path / "mmproj.gguf", N_EMBD))
