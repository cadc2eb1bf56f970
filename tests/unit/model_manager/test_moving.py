from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_manager import moving
from model_manager.digest import sha256_of
from model_manager.errors import (
    CannotRemoveStarter,
    CannotWrite,
    HashMismatch,
    MissingShard,
    ModelNameTaken,
    ModelNotFound,
    NotEnoughDisk,
    TransferCancelled,
)
from model_manager.library import Library
from model_manager.moving import Moving
from tests.helpers.ggufs import N_EMBD, write_model
from tests.helpers.mmprojs import write_mmproj
from tests.helpers.shelf import Shelf


class Killed(BaseException):
    """The program ends here: no handler of ours runs for it."""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("COTERIE_CACHE_DIR", str(tmp_path / "cache"))
    return Library(Shelf(), tmp_path / "models")


@pytest.fixture
def mover(library: Library) -> Moving:
    return Moving(library)


@pytest.fixture
def ours(library: Library) -> str:
    """A model in three files that a download has put into the models folder."""
    folder = library.models_dir / "owner" / "repo"
    folder.mkdir(parents=True)
    write_model(folder / "m.gguf", n_experts=4, shard_tensors=10)
    paths = sorted(folder.iterdir())
    return library.add_downloaded(paths, [sha256_of(path) for path in paths], "hub:owner/repo").name


@pytest.fixture
def other_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every target is on another disk: there are no links to it."""

    def refuse(_source: Any, _target: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(moving, "_is_one_disk", lambda _move: False)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


SHARDS = [f"owner/repo/m-0000{number}-of-00003.gguf" for number in (1, 2, 3)]


@pytest.mark.parametrize("across", [False, True])
def test_a_model_moves_with_its_place(
    library: Library,
    mover: Moving,
    ours: str,
    tmp_path: Path,
    across: bool,
    request: pytest.FixtureRequest,
) -> None:
    if across:
        request.getfixturevalue("other_disk")
    before = library.annotate(ours, note="mine")
    seen: list[tuple[int, int]] = []
    switched: list[bool] = []
    entry = mover.move(
        ours,
        tmp_path / "big",
        progress=lambda done, total: seen.append((done, total)),
        on_switched=lambda: switched.append(library.get(ours).paths[0].is_relative_to(tmp_path / "big")),
    )
    assert files(tmp_path / "big") == SHARDS
    assert files(library.models_dir) == []
    assert library.models_dir.is_dir()
    assert (entry.is_ours, entry.note, entry.sha256, entry.state) == (True, "mine", before.sha256, "verified")
    assert entry.paths == tuple(tmp_path / "big" / name for name in SHARDS)
    assert entry.moving_to is None
    assert switched == [True]
    assert seen[-1] == (entry.size_bytes, entry.size_bytes)
    assert mover.move(ours, tmp_path / "big") == entry, "again is nothing to do"
    back = mover.move(ours, library.models_dir)
    assert back.paths == before.paths
    assert files(tmp_path / "big") == []
    library.remove(ours)
    assert list(tmp_path.rglob("*.gguf")) == []


def test_what_was_moved_is_removed_from_there(
    library: Library, mover: Moving, ours: str, tmp_path: Path
) -> None:
    mover.move(ours, tmp_path / "big")
    (tmp_path / "big" / "mine.txt").write_text("precious")
    library.remove(ours)
    assert files(tmp_path / "big") == ["mine.txt"]


def test_a_model_of_another_program_is_copied(library: Library, mover: Moving, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    path = write_model(tmp_path / "theirs" / "sha256-abc")
    library.import_path(path)
    entry = mover.move("sha256-abc", tmp_path / "big")
    assert path.is_file()
    assert entry.paths == (tmp_path / "big" / "sha256-abc.gguf",)
    assert not os.path.samefile(path, entry.paths[0])
    assert (entry.is_ours, entry.state) == (True, "verified")
    library.remove("sha256-abc")
    assert path.is_file()
    assert not entry.paths[0].exists()


def test_the_vision_tower_goes_along(library: Library, mover: Moving, tmp_path: Path) -> None:
    library.models_dir.mkdir()
    for name in ("a", "b"):
        write_model(library.models_dir / f"{name}.gguf", n_experts=0 if name == "a" else 2)
        library.import_path(library.models_dir / f"{name}.gguf")
    write_mmproj(library.models_dir / "mmproj.gguf", N_EMBD)
    mover.move("a", tmp_path / "big")
    assert files(tmp_path / "big") == ["a.gguf", "mmproj.gguf"]
    assert files(library.models_dir) == ["b.gguf", "mmproj.gguf"]
    mover.move("b", tmp_path / "big")
    assert files(tmp_path / "big") == ["a.gguf", "b.gguf", "mmproj.gguf"]


def kill_at(n_calls: int) -> Callable[[int, int], None]:
    """A progress that ends the program at the n-th step."""
    left = n_calls

    def progress(_done: int, _total: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    return progress


@pytest.mark.usefixtures("other_disk")
@pytest.mark.parametrize("n_calls", range(1, 7))
def test_a_killed_move_goes_on(
    library: Library, mover: Moving, ours: str, tmp_path: Path, n_calls: int
) -> None:
    before = library.get(ours)
    with pytest.raises(Killed):
        mover.move(ours, tmp_path / "big", progress=kill_at(n_calls))
    cut_off = library.get(ours)
    assert (cut_off.paths, cut_off.state) == (before.paths, "verified")
    assert cut_off.moving_to == tmp_path / "big"
    fresh = Moving(Library(library.records._store, library.models_dir))
    fresh.settle()
    entry = fresh.move(ours, tmp_path / "big")
    assert files(tmp_path / "big") == SHARDS
    assert files(library.models_dir) == []
    assert [sha256_of(path) for path in entry.paths] == list(before.sha256 or ())


@pytest.mark.usefixtures("other_disk")
@pytest.mark.parametrize("way", ["cancel", "elsewhere", "remove"])
def test_a_killed_move_is_undone(
    library: Library, mover: Moving, ours: str, tmp_path: Path, way: str
) -> None:
    before = library.get(ours)
    with pytest.raises(Killed):
        mover.move(ours, tmp_path / "big", progress=kill_at(4))
    assert files(tmp_path / "big") != []
    if way == "cancel":
        assert mover.cancel(ours) == mover.cancel(ours) == before
        assert files(library.models_dir) == SHARDS
    elif way == "elsewhere":
        mover.move(ours, tmp_path / "other")
        assert files(tmp_path / "other") == SHARDS
    else:
        library.remove(ours)
        assert files(library.models_dir) == []
    assert files(tmp_path / "big") == []


def test_old_files_that_a_killed_move_left_are_deleted_later(
    library: Library, mover: Moving, ours: str, tmp_path: Path
) -> None:
    def end() -> None:
        raise Killed

    with pytest.raises(Killed):
        mover.move(ours, tmp_path / "big", on_switched=end)
    assert files(library.models_dir) == SHARDS
    assert library.get(ours).paths[0].is_relative_to(tmp_path / "big")
    Moving(library).settle()
    assert files(library.models_dir) == []
    assert files(tmp_path / "big") == SHARDS
    assert library.records.list()[0].moving is None


@pytest.mark.usefixtures("other_disk")
def test_a_link_where_the_copy_grows_leads_nowhere(
    library: Library, mover: Moving, ours: str, tmp_path: Path
) -> None:
    victim = tmp_path / "letter.txt"
    victim.write_text("Dear Ada")
    name = library.get(ours).paths[0].name
    (tmp_path / "big" / "owner" / "repo").mkdir(parents=True)
    (tmp_path / "big" / "owner" / "repo" / f"{name}.part").symlink_to(victim)
    moved = mover.move(ours, tmp_path / "big")
    assert victim.read_text() == "Dear Ada"
    assert not moved.paths[0].is_symlink()
    assert moved.state == "verified"


@pytest.mark.usefixtures("other_disk")
def test_a_cancelled_move_leaves_nothing(library: Library, mover: Moving, ours: str, tmp_path: Path) -> None:
    before = library.get(ours)
    answers = iter([False] * 3)
    with pytest.raises(TransferCancelled):
        mover.move(ours, tmp_path / "big", cancelled=lambda: next(answers, True))
    assert library.get(ours) == before
    assert files(tmp_path / "big") == []


@pytest.mark.usefixtures("other_disk")
def test_a_file_that_is_damaged_is_not_moved(
    library: Library, mover: Moving, ours: str, tmp_path: Path
) -> None:
    path = library.get(ours).paths[1]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(HashMismatch) as caught:
        mover.move(ours, tmp_path / "big")
    assert caught.value.path == path
    assert files(tmp_path / "big") == []
    assert files(library.models_dir) == SHARDS


@pytest.mark.usefixtures("other_disk")
def test_a_disk_that_writes_wrong_bytes_is_found_out(
    library: Library, mover: Moving, ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(path: Path) -> None:
        with path.open("r+b") as file:
            file.write(b"oops")

    monkeypatch.setattr(moving, "_forget_pages", spoil)
    with pytest.raises(HashMismatch):
        mover.move(ours, tmp_path / "big")
    assert files(tmp_path / "big") == []
    assert not library.get(ours).is_missing


@pytest.mark.usefixtures("other_disk")
def test_room_is_counted_before_the_first_byte(
    library: Library, mover: Moving, ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1 << 40, 1 << 40, 1 << 20)
    )
    with pytest.raises(NotEnoughDisk):
        mover.move(ours, tmp_path / "big")
    assert files(tmp_path / "big") == []
    assert library.get(ours).moving_to is None


@pytest.mark.usefixtures("other_disk")
def test_a_disk_that_fails_keeps_what_is_there(
    library: Library, mover: Moving, ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def fail(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "fsync", fail)
        with pytest.raises(CannotWrite):
            mover.move(ours, tmp_path / "big")
    assert library.get(ours).moving_to == tmp_path / "big"
    assert not library.get(ours).is_missing
    mover.move(ours, tmp_path / "big")
    assert files(tmp_path / "big") == SHARDS


def test_what_cannot_be_moved_is_refused(library: Library, mover: Moving, ours: str, tmp_path: Path) -> None:
    target = tmp_path / "big" / SHARDS[2]
    target.parent.mkdir(parents=True)
    target.write_text("precious")
    with pytest.raises(ModelNameTaken) as caught:
        mover.move(ours, tmp_path / "big")
    assert caught.value.path == target
    assert target.read_text() == "precious"
    with pytest.raises(CannotRemoveStarter):
        mover.move("starter", tmp_path / "big")
    with pytest.raises(ModelNotFound):
        mover.move("nothing", tmp_path / "big")
    with pytest.raises(ModelNotFound):
        mover.cancel("nothing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(CannotWrite):
        mover.move(ours, tmp_path / "file")
    library.get(ours).paths[1].unlink()
    with pytest.raises(MissingShard):
        mover.move(ours, tmp_path / "elsewhere")


def test_an_entry_that_claims_a_foreign_file_does_not_delete_it(
    library: Library, mover: Moving, tmp_path: Path
) -> None:
    path = write_model(tmp_path / "m.gguf")
    library.import_path(path)
    library.records.update("m", lambda known: replace(known, is_ours=True))
    mover.move("m", tmp_path / "big")
    assert path.is_file()
