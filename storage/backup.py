"""A verified copy of a live database, in one file.

Copying the file by hand would miss what is still in the write-ahead log; SQLite's online backup does not.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from storage.errors import DatabaseCorrupt
from storage.faults import faults_of

_PAGES_AT_ONCE = 2_048


def back_up(
    source: sqlite3.Connection, target: Path, on_progress: Callable[[int, int], None] | None = None
) -> None:
    """Write everything that `source` has committed to `target`, which appears complete or not at all.

    Args:
        source: An open connection without a transaction.
        target: Replaced where it is there; its folder is made.
        on_progress: Told pages that remain, and all; on this thread.

    Raises:
        DatabaseCorrupt: The copy does not pass SQLite's integrity check, so neither would the source.
        DatabaseDiskFull: There is no room for the copy; nothing is left behind.
        DatabaseReadOnly: The folder may not be written.
    """
    unfinished = target.with_name(target.name + ".part")
    with faults_of(target):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _copy(source, unfinished, on_progress)
            os.replace(unfinished, target)
            sync_folder(target.parent)
        finally:
            unfinished.unlink(missing_ok=True)


def _copy(source: sqlite3.Connection, target: Path, on_progress: Callable[[int, int], None] | None) -> None:
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        if on_progress is None:
            source.backup(copy)
        else:
            source.backup(
                copy,
                pages=_PAGES_AT_ONCE,
                progress=lambda _status, remaining, total: on_progress(remaining, total),
            )
        # The header was copied too and asks for a write-ahead log; a backup is a single file.
        copy.execute("PRAGMA journal_mode=DELETE")
        problems = [row[0] for row in copy.execute("PRAGMA integrity_check(5)")]
        if problems != ["ok"]:
            raise DatabaseCorrupt(target, "; ".join(problems))
    descriptor = os.open(target, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make what was made or renamed in a folder durable. Windows neither needs nor allows it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
