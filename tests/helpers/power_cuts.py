"""Cuts the power of a writer at random write calls, again and again, and checks what is left.

    python -m tests.helpers.power_cuts DATABASE N_CUTS SEED

runs under `power_cut.so` (see `run`) and prints one line of JSON. Each cut is a child that opens the
database, talks and streams into it as `storage_writer` does, tidies it, and dies at some call; the parent
then opens what is left, and goes on with it: a crash has to be survived by what an earlier crash left.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

from storage.records import Part
from storage.store import Store
from tests.helpers.storage_writer import exchange
from tests.helpers.survival import Said, acknowledged, check

ROOT: Final = Path(__file__).parents[2]
MODES: Final = ("killed", "torn", "power")
_CARELESS: Final = "COTERIE_TEST_CARELESS"
_MAX_CALLS: Final = 250
_FRESH_EVERY: Final = 40


def compiler() -> str | None:
    """What makes `power_cut.so`; None where there is none, or the system has no `LD_PRELOAD`."""
    return (shutil.which("cc") or shutil.which("gcc")) if sys.platform == "linux" else None


def run(folder: Path, n_cuts: int, seed: int, *, careless: bool = False) -> dict[str, int]:
    """Make the switch and use it in a process of its own; returns how many cuts of each kind were survived.

    Args:
        folder: Empty.
        n_cuts: How many.
        seed: Of everything random.
        careless: Let the writers leave out every fsync, to see that the switch would tell.

    Raises:
        AssertionError: Something acknowledged was lost; the process's words are in it.
    """
    library = folder / "power_cut.so"
    program = compiler()
    assert program is not None
    source = Path(__file__).with_name("power_cut.c")
    subprocess.run([program, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(folder / "cut" / "coterie.sqlite"), str(n_cuts), str(seed)],
        cwd=ROOT,
        env=os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT), _CARELESS: str(int(careless))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return counts


def main(path: Path, n_cuts: int, seed: int) -> None:
    chance = random.Random(seed)
    counts: Counter[str] = Counter(dict.fromkeys((*MODES, "messages"), 0))
    said: Said = {}
    for number in range(n_cuts):
        if number % _FRESH_EVERY == 0:
            shutil.rmtree(path.parent, ignore_errors=True)
            said = {}
        mode = chance.randrange(len(MODES))
        lines, ended_by = _cut(path, mode, chance.randrange(_MAX_CALLS), chance.randrange(1 << 30))
        assert ended_by == signal.SIGKILL, f"cut {number}: the writer ended by {ended_by}"
        now = acknowledged(lines)
        counts["messages"] += sum(what == "message" for what, _ in now.values())
        _check(path, now, said, lost_power=MODES[mode] == "power", verify=number % 10 == 0)
        # What was flushed is interrupted for good now, as far as it was there.
        said |= {key: value for key, value in now.items() if value[0] == "message"}
        counts[MODES[mode]] += 1
    sys.stdout.write(json.dumps(counts) + "\n")


def _check(path: Path, now: Said, before: Said, *, lost_power: bool, verify: bool) -> None:
    if path.exists() and path.stat().st_size:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
            assert found == [("ok",)], found
    store = Store(path)
    try:
        store.mark_interrupted()
        check(store, before)
        check(store, now, lost_power=lost_power)
        if verify:
            assert store.conversations.verify() == []
    finally:
        store.close()


def _cut(path: Path, mode: int, at_call: int, seed: int) -> tuple[list[str], int]:
    """One writer and its end: what it said, and the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(writing, 1)
        try:
            ctypes.CDLL(None).power_cut_arm(
                os.fsencode(path), ctypes.c_long(at_call), ctypes.c_int(mode), ctypes.c_uint64(seed)
            )
            _write(path, seed)
        finally:
            os._exit(3)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = told.readlines()
    _, status = os.waitpid(child, 0)
    return lines, os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def _write(path: Path, seed: int) -> None:
    """Talk with checkpoints every few pages, and with order and compaction in between."""
    chance = random.Random(seed)
    store = Store(path)
    store._database.query("PRAGMA wal_autocheckpoint=16")
    if os.environ.get(_CARELESS) == "1":
        store._database._synchronous = "FULL"
        store._database._synchronize = lambda _level: None  # type: ignore[method-assign]  # as a careless program
        store._database.query("PRAGMA synchronous=OFF")
    store.mark_interrupted()
    conversations = store.conversations
    while True:
        conversation = conversations.create(title=f"word{seed}").id
        for _ in range(chance.randrange(1, 4)):
            store.ratings.rate(exchange(store, conversation, chance), 1)
        store.shelf.move(conversation, f"Folder/{seed % 5}")
        store.shelf.tag(conversation, f"tag{seed % 5}")
        thrown = conversations.create(title="thrown away").id
        conversations.append(thrown, None, "user", [Part("text", "thrown away " * 200)])
        store.trash.put(thrown)
        store.trash.empty()
        if chance.random() < 0.3:
            store.upkeep.compact()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
