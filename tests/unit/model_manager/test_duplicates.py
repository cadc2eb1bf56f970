from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from model_manager.digest import sha256_of
from model_manager.duplicates import find_duplicates
from model_manager.errors import TransferCancelled
from model_manager.library import Library
from tests.helpers.ggufs import write_model
from tests.helpers.shelf import Shelf


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("COTERIE_CACHE_DIR", str(tmp_path / "cache"))
    return Library(Shelf(), tmp_path / "models")


@pytest.fixture
def model(tmp_path: Path, library: Library) -> Path:
    path = write_model(tmp_path / "first.gguf", n_experts=4, shard_tensors=10)
    library.import_path(path)
    return path


def test_copies_are_found_by_their_bytes(library: Library, model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for shard in tmp_path.glob("first-*.gguf"):
        shutil.copyfile(shard, other / shard.name.replace("first", "second"))
    library.import_path(other / "second-00001-of-00003.gguf", copy=True)
    near = write_model(tmp_path / "near.gguf", n_experts=4, shard_tensors=10)
    content = bytearray(near.read_bytes())
    content[-1] ^= 1
    near.write_bytes(content)
    library.import_path(near)
    seen: list[tuple[int, int]] = []
    (group,) = find_duplicates(library, lambda done, total: seen.append((done, total)))
    size_bytes = library.get("first").size_bytes
    assert (group.names, group.size_bytes, group.wasted_bytes) == (
        ("second", "first"),
        size_bytes,
        size_bytes,
    )
    assert group.sha256 == tuple(sha256_of(path) for path in library.get("first").paths)
    assert seen[-1] == (size_bytes, size_bytes), "only what no hash is known of is read"
    assert library.get("first").state == "verified"
    seen.clear()
    assert find_duplicates(library, lambda done, total: seen.append((done, total))) == (group,)
    assert seen == []


def test_one_file_under_two_names_wastes_nothing(library: Library, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.gguf")
    os.link(path, tmp_path / "hard.gguf")
    (tmp_path / "soft.gguf").symlink_to(path)
    for name in ("m", "hard", "soft"):
        library.import_path(tmp_path / f"{name}.gguf")
    (group,) = find_duplicates(library)
    assert (group.names, group.wasted_bytes, group.sha256) == (("hard", "m", "soft"), 0, ())


def test_a_file_that_changed_is_not_believed(library: Library, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_model(tmp_path / f"{name}.gguf")
        library.import_path(tmp_path / f"{name}.gguf")
        library.verify(name)
    content = bytearray((tmp_path / "b.gguf").read_bytes())
    middle = len(content) // 3
    content[middle : middle + 4] = b"oops"
    (tmp_path / "b.gguf").write_bytes(content)
    os.utime(tmp_path / "b.gguf", ns=(1, 1))
    assert find_duplicates(library) == ()
    assert library.get("b").sha256 == library.get("a").sha256, "what it should be is not forgotten"


def test_nothing_and_what_is_gone(library: Library, model: Path, tmp_path: Path) -> None:
    assert find_duplicates(library) == ()
    shutil.copyfile(write_model(tmp_path / "x.gguf"), tmp_path / "y.gguf")
    library.import_path(tmp_path / "x.gguf")
    library.import_path(tmp_path / "y.gguf")
    (tmp_path / "y.gguf").unlink()
    assert find_duplicates(library) == ()


def test_the_search_can_be_cancelled(library: Library, tmp_path: Path) -> None:
    shutil.copyfile(write_model(tmp_path / "x.gguf"), tmp_path / "y.gguf")
    library.import_path(tmp_path / "x.gguf")
    library.import_path(tmp_path / "y.gguf")
    with pytest.raises(TransferCancelled):
        find_duplicates(library, cancelled=lambda: True)
