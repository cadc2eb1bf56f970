"""Exactly one owner a data folder, whatever becomes of the last one."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import owner as owner_module
from app.console import Console
from app.control import OwnerLink
from app.errors import DataFolderUnusable, OwnerSilent
from app.owner import Owner, acquire, acquire_or_connect, connect, owner_pid
from app.paths import Paths
from app.words import sentence

ROOT = Path(__file__).parents[3]

# Owns a folder until its input ends.
_HOLDER = """
import sys
from pathlib import Path
from app.owner import acquire
from app.paths import Paths
owner = acquire(Paths(Path(sys.argv[1])))
print("lost" if owner is None else "won", flush=True)
if owner is not None:
    sys.stdin.read()
    owner.close()
"""


def hold(paths: Paths) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(paths.data_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_second_program_is_not_the_owner(paths: Paths, owner: Owner) -> None:
    with hold(paths) as second:
        assert said(second) == "lost"
        assert second.stdin is not None
        second.stdin.close()


def test_owner_is_free_after_close(paths: Paths) -> None:
    for _ in range(3):
        owner = acquire(paths)
        assert owner is not None
        assert owner_pid(paths) == os.getpid()
        owner.close()
        owner.close()
        assert not paths.owner.exists()
        assert not owner.runtime_dir.exists()


def test_of_many_that_start_at_once_one_wins(paths: Paths) -> None:
    programs = [hold(paths) for _ in range(6)]
    assert sorted(said(program) for program in programs) == ["lost"] * 5 + ["won"]
    for program in programs:
        program.communicate("")


@pytest.mark.skipif(os.name == "nt", reason="no such signal")
def test_killed_owner_leaves_no_lock(paths: Paths) -> None:
    with hold(paths) as first:
        assert said(first) == "won"
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert connect(paths) is None  # its address is still written down
    owner = acquire_or_connect(paths)
    assert isinstance(owner, Owner)
    owner.close()


def test_key_is_for_this_person_alone(paths: Paths, owner: Owner) -> None:
    assert paths.owner.stat().st_mode & 0o777 == 0o600
    address = Path(json.loads(paths.owner.read_text())["address"])
    assert address.stat().st_mode & 0o777 == 0o600
    assert address.parent.stat().st_mode & 0o777 == 0o700


def test_wrong_key_is_not_served(paths: Paths, owner: Owner) -> None:
    found = json.loads(paths.owner.read_text())
    with pytest.raises((OSError, EOFError)):
        OwnerLink(found["address"], bytes(32))
    assert isinstance(acquire_or_connect(paths), OwnerLink)


def test_garbled_address_is_no_owner(paths: Paths) -> None:
    paths.make_data_dir()
    for text in ("", "{}", '{"address": 3, "key": "00"}', '{"address": "/nowhere", "key": "zz"}', "[1]"):
        paths.owner.write_text(text)
        assert connect(paths) is None
        assert owner_pid(paths) is None


def test_owner_that_never_answers_is_named(
    paths: Paths, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads(paths.owner.read_text())
    paths.owner.write_text(json.dumps(found | {"address": str(paths.data_dir / "nobody")}))
    monkeypatch.setattr(owner_module, "_PATIENCE_S", 0.1)
    with pytest.raises(OwnerSilent) as caught:
        acquire_or_connect(paths)
    assert caught.value.pid == os.getpid()


def test_one_that_is_about_to_end_is_waited_for(paths: Paths, owner: Owner) -> None:
    """Between the last word of an owner and its end the next one waits, and becomes the owner."""
    paths.owner.unlink()
    ending = threading.Timer(0.2, owner.close)
    ending.start()
    successor = acquire_or_connect(paths)
    ending.join()
    assert isinstance(successor, Owner)
    successor.close()


def test_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderUnusable):
        acquire(Paths(tmp_path / "file"))


def test_a_full_disk_is_told_as_such_and_nothing_is_left(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(DataFolderUnusable) as refused:
            acquire(paths)
    assert refused.value.is_full
    assert "Make room" in sentence(refused.value)
    assert not list(paths.data_dir.glob("*.new"))


def test_address_that_cannot_be_written_gives_the_lock_back(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "no")

    with monkeypatch.context() as patch:
        patch.setattr(owner_module, "_write_private", refuse)
        with pytest.raises(DataFolderUnusable):
            acquire(paths)
    owner = acquire(paths)
    assert owner is not None
    owner.close()


def test_socket_that_a_killed_owner_left_is_replaced(paths: Paths) -> None:
    paths.make_runtime_dir().joinpath("control").write_text("")
    owner = acquire(paths)
    assert owner is not None

    def run(_argv: Sequence[str], _console: Console) -> int:
        return 0

    owner.control.serve(run)
    assert isinstance(connect(paths), OwnerLink)
    owner.close()
