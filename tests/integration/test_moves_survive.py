"""A model is moved to another disk by a program that is killed again and again (SIGKILL, at any point)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.stores import LibraryStore
from model_manager.digest import sha256_of
from model_manager.library import Library
from model_manager.moving import Moving
from storage.thread import StorageThread
from tests.helpers.ggufs import write_model

PROGRAM = """
import os, signal, sys
from pathlib import Path
from app.stores import LibraryStore
from model_manager.library import Library
from model_manager.moving import Moving
from storage.thread import StorageThread

data_dir, folder, left = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def die_in_time(*_anything):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

storage = StorageThread(data_dir / "coterie.sqlite")
moving = Moving(Library(LibraryStore(storage), data_dir / "models"))
moving.settle()
moving.move("m", folder, progress=die_in_time, on_switched=die_in_time)
storage.close()
"""
N_STEPS = 7
"""Three files, written and read back, and the switch."""


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system, so that nothing can be linked or renamed into it."""
    place = Path("/dev/shm")
    if not place.is_dir() or place.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    folder = Path(tempfile.mkdtemp(dir=place))
    yield folder
    shutil.rmtree(folder)


def open_library(data_dir: Path, storage: StorageThread) -> Library:
    return Library(LibraryStore(storage), data_dir / "models")


def test_a_whole_copy_has_its_entry_at_every_moment(tmp_path: Path, other_disk: Path) -> None:
    target = other_disk / "big"
    (tmp_path / "models").mkdir()
    write_model(tmp_path / "models" / "m.gguf", n_experts=4, shard_tensors=10)
    paths = sorted((tmp_path / "models").iterdir())
    digests = [sha256_of(path) for path in paths]
    with closing(StorageThread(tmp_path / "coterie.sqlite")) as storage:
        open_library(tmp_path, storage).add_downloaded(paths, digests, "hub:owner/repo")
    n_killed = 0
    for n_steps in range(1, N_STEPS + 2):
        done = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path, target, str(n_steps)], check=False)
        with closing(StorageThread(tmp_path / "coterie.sqlite")) as storage:
            library = open_library(tmp_path, storage)
            entry = library.get("m")
            assert [sha256_of(path) for path in entry.paths] == digests
            if done.returncode == 0:
                assert entry.moving_to is None
                break
            assert done.returncode == -signal.SIGKILL
            n_killed += 1
            Moving(library).settle()
            if library.get("m").paths[0].is_relative_to(target):
                break
    assert n_killed == N_STEPS, "one step further each time, the last one behind the switch"
    assert sorted(os.listdir(target)) == [path.name for path in paths]
    assert os.listdir(tmp_path / "models") == []
