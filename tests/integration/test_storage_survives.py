"""Promise 1: no acknowledged message is lost. kill -9 at any moment, a full disk, a torn write-ahead log."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from storage.errors import DatabaseDiskFull, DatabaseReadOnly, DatabaseUnusable
from storage.records import Generation
from storage.store import Store
from tests.helpers.databases import text
from tests.helpers.storage_writer import parts_of
from tests.helpers.survival import acknowledged, check, said_by

ROOT = Path(__file__).parents[2]
N_KILLS = 50
FRAME_BYTES = 4096 + 24
LOG_HEADER_BYTES = 32


def write_and_be_killed(path: Path, seed: int, chance: random.Random) -> list[str]:
    """Start a writer, kill it at some moment, and return all that it said."""
    command = [sys.executable, "-m", "tests.helpers.storage_writer", str(path), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(chance.randrange(1, 60))]
        # Not at the moment of a line, but somewhere in the work that follows it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            writer.wait(timeout=chance.uniform(0, 0.02))
        writer.kill()
        lines += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL, "the writer ended by itself"
    return lines


def test_kill_9_at_50_random_moments_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Always the same database, so that what a kill left behind is what the next run has to live with."""
    path = tmp_path / "coterie.sqlite"
    chance = random.Random(20261124)
    said: dict[int, tuple[str, int]] = {}
    n_cut_off = 0
    for seed in range(N_KILLS):
        now = acknowledged(write_and_be_killed(path, seed, chance))
        assert len(now) > 0
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        store = Store(path)
        try:
            store.mark_interrupted()
            n_cut_off += check(store, now)
            said |= now
            if seed % 10 == 9:
                assert store.conversations.verify() == []
        finally:
            store.close()
    store = Store(path)
    try:
        check(store, said)
        assert store.conversations.verify() == []
        streaming = store._database.query("SELECT count(*) FROM messages WHERE status = 'streaming'")
        assert streaming[0][0] == 0
    finally:
        store.close()
    # How many depends on the disk: a slow one is met in the middle of a commit. `power_cuts` aims at calls.
    assert n_cut_off > 0, "some kills should have met an answer"


def test_torn_log_keeps_every_message_whose_commit_lies_before_the_cut(tmp_path: Path) -> None:
    """A copy of database and log, cut at any byte, holds exactly the commits that are whole in it.

    So a message that was acknowledged when the log had n bytes is there for every cut at n or later; whatever
    had been checkpointed into the database file is there for every cut. A cut inside a commit loses that
    commit, and all of it.
    """
    path = tmp_path / "coterie.sqlite"
    log = path.with_name(path.name + "-wal")
    store = Store(path)
    try:
        store._database.query("PRAGMA wal_autocheckpoint=0")
        conversation = store.conversations.create().id
        checkpointed = [
            store.conversations.append(conversation, None, "user", text(f"{n}")).id for n in range(5)
        ]
        store._database.query("PRAGMA wal_checkpoint(TRUNCATE)")
        ends: list[tuple[int, int]] = []
        for n in range(12):
            message = store.conversations.append(conversation, None, "user", text(f"torn {n} " * 40 * n))
            ends.append((message.id, log.stat().st_size))
        size = log.stat().st_size
        cuts = {0, 1, LOG_HEADER_BYTES - 1, LOG_HEADER_BYTES, size}
        for frame in range((size - LOG_HEADER_BYTES) // FRAME_BYTES + 1):
            start = LOG_HEADER_BYTES + frame * FRAME_BYTES
            cuts |= {start, start + 7, start + 24, start + 2000, start + FRAME_BYTES - 1}
        for cut in sorted(cut for cut in cuts if cut <= size):
            _check_torn(path, log, cut, tmp_path / "torn", checkpointed, ends)
    finally:
        store.close()


def _check_torn(
    path: Path, log: Path, cut: int, folder: Path, checkpointed: list[int], ends: list[tuple[int, int]]
) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    torn = folder / path.name
    shutil.copy(path, torn)
    (folder / log.name).write_bytes(log.read_bytes()[:cut])
    with closing(sqlite3.connect(torn)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], cut
        found = [row[0] for row in connection.execute("SELECT id FROM messages ORDER BY id")]
    expected = checkpointed + [message_id for message_id, end in ends if end <= cut]
    assert found == expected, cut
    if cut % 3 == 0:
        store = Store(torn)
        try:
            assert store.conversations.verify() == [], cut
        finally:
            store.close()


def test_garbage_after_the_log_is_ignored(tmp_path: Path) -> None:
    """A torn sector may hold anything: the log's checksums tell."""
    path = tmp_path / "coterie.sqlite"
    log = path.with_name(path.name + "-wal")
    store = Store(path)
    try:
        store._database.query("PRAGMA wal_autocheckpoint=0")
        conversation = store.conversations.create().id
        store.conversations.append(conversation, None, "user", text("whole"))
        end = log.stat().st_size
        store.conversations.append(conversation, None, "user", text("torn " * 3000))
        content = bytearray(log.read_bytes())
        shutil.copy(path, tmp_path / "database")
    finally:
        store.close()
    chance = random.Random(7)
    for n in range(20):
        copy = tmp_path / f"{n}" / path.name
        copy.parent.mkdir()
        offset = chance.randrange(end, len(content))
        damaged = content[:]
        damaged[offset : offset + 512] = chance.randbytes(len(damaged[offset : offset + 512]))
        shutil.copy(tmp_path / "database", copy)
        copy.with_name(log.name).write_bytes(damaged)
        again = Store(copy)
        try:
            assert [message.text for message in again.conversations.path(1)] == ["whole"]
            assert again.conversations.verify() == []
        finally:
            again.close()


def write_until_it_fails(path: Path) -> tuple[list[int], type[Exception]]:
    """Append ever longer messages; returns those acknowledged and what ended it."""
    store = Store(path)
    acknowledged_ids: list[int] = []
    try:
        conversation = store.conversations.create().id
        answer = store.conversations.start_answer(conversation, None, Generation("starter"))
        for n in range(1, 10_000):
            store.conversations.flush_answer(answer.id, parts_of(answer.id, 500 * n))
            acknowledged_ids.append(
                store.conversations.append(conversation, None, "user", text(f"kept {n} " * 50 * n)).id
            )
    except DatabaseUnusable as error:
        assert [m.id for m in store.conversations.path(conversation)] == acknowledged_ids[-1:]
        return acknowledged_ids, type(error)
    finally:
        store.close()
    raise AssertionError("the disk never filled up")


def check_after_failure(path: Path, acknowledged_ids: list[int]) -> None:
    store = Store(path)
    try:
        store.mark_interrupted()
        for n, message_id in enumerate(acknowledged_ids, start=1):
            assert store.conversations.message(message_id).text == f"kept {n} " * 50 * n
        cut_off = store.conversations.message(1)
        assert cut_off.parts == tuple(parts_of(1, len(said_by(cut_off))))
        assert len(said_by(cut_off)) >= 500 * len(acknowledged_ids)
        assert store.conversations.verify() == []
        store.conversations.append(1, None, "user", text("and it goes on"))
    finally:
        store.close()


@pytest.mark.skipif(os.name == "nt", reason="no such limits")
def test_limit_on_the_size_of_files_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """A quota shows itself as EFBIG or EDQUOT, which SQLite reports as a failed write."""
    path = tmp_path / "coterie.sqlite"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, before[1]))
    try:
        acknowledged_ids, fault = write_until_it_fails(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert fault in (DatabaseUnusable, DatabaseDiskFull)
    assert len(acknowledged_ids) > 3
    check_after_failure(path, acknowledged_ids)


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 1 MiB; only root may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("may not mount a small disk")
    return folder


def test_full_disk_keeps_what_was_acknowledged(small_disk: Path, tmp_path: Path) -> None:
    try:
        acknowledged_ids, fault = write_until_it_fails(small_disk / "coterie.sqlite")
        assert fault is DatabaseDiskFull
        assert len(acknowledged_ids) > 3
        # The log was emptied into the file when it was closed, or stands beside it where that had no room.
        for file in small_disk.iterdir():
            shutil.copy(file, tmp_path)
    finally:
        subprocess.run(["umount", str(small_disk)], check=True)
    check_after_failure(tmp_path / "coterie.sqlite", acknowledged_ids)


def test_full_disk_at_the_first_start(small_disk: Path) -> None:
    try:
        (small_disk / "filler").write_bytes(b"x" * (1024 * 1024 - 8192))
        with pytest.raises(DatabaseDiskFull):
            Store(small_disk / "coterie.sqlite")
        (small_disk / "filler").unlink()
        Store(small_disk / "coterie.sqlite").close()
    finally:
        subprocess.run(["umount", str(small_disk)], check=True)


_AS_NOBODY = """
import os, sys
from pathlib import Path
from storage.errors import StorageError
from storage.store import Store
os.umask(0)
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    Store(Path(sys.argv[1]))
except StorageError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(os.name == "nt", reason="no such permissions")
@pytest.mark.parametrize("case", ["new", "folder", "file", "closed"])
def test_folder_or_file_that_may_not_be_written_is_refused_at_the_door(tmp_path: Path, case: str) -> None:
    """Root may write anywhere, so the program is started as somebody else."""
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "coterie.sqlite"
    if case != "new":
        Store(path).close()
        path.chmod(0o444 if case in ("file", "closed") else 0o666)
    before = path.read_bytes() if path.exists() else None
    folder.chmod({"new": 0o555, "folder": 0o555, "file": 0o777, "closed": 0o700}[case])
    if case == "closed":
        path.chmod(0o000)
    if os.getuid() == 0:
        for parent in (tmp_path, *tmp_path.parents[:2]):
            parent.chmod(parent.stat().st_mode | 0o055)
    refused = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    folder.chmod(0o700)
    assert refused.stdout.split() == [DatabaseReadOnly.__name__], refused.stderr
    if before is not None:
        path.chmod(0o600)
        assert path.read_bytes() == before
