"""Takes the steps that a file's schema still has before it: all of them, or none."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import sqlite_utils

from storage.backup import back_up
from storage.errors import DatabaseCorrupt
from storage.migrations import APPLICATION_ID, known_steps, migrations

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much; on the thread that does it."""

TOTAL: Final = 1000
COPIED: Final = 250
"""What of the total is done when the backup has been written; likewise the next."""
MIGRATED: Final = 700
_VERSION: Final = slice(60, 64)
"""Where the version stands in the file's first bytes. Source: https://sqlite.org/fileformat.html"""
# Steps of SQLite's virtual machine between two signs of life; and about how many all steps of the schema take
# for a part of a message, with its rows of other tables.
_BEAT_STEPS: Final = 10_000
_STEPS_A_PART: Final = 110


def is_behind(path: Path) -> bool:
    """Whether opening this file will take steps, as far as its first bytes say; False where there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(_VERSION.stop)
    except OSError:
        return False
    return 0 < int.from_bytes(head[_VERSION], "big") < len(known_steps())


def upgrade(
    connection: sqlite3.Connection,
    path: Path,
    transaction: Callable[[], AbstractContextManager[None]],
    on_progress: Progress | None,
) -> Path | None:
    """Take all pending steps in one transaction, with the checks after them.

    Args:
        connection: To the file, outside of a transaction.
        path: Of the file.
        transaction: Makes one in which everything happens, or nothing.
        on_progress: Told up to `MIGRATED` of `TOTAL`.

    Returns:
        The copy that was made before; None for a file that was new.

    Raises:
        DatabaseUnusable: Nothing was changed.
    """
    db = sqlite_utils.Database(connection, execute_plugins=False)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    backup_path = None
    if version:
        backup_path = _back_up(connection, path, version, on_progress)
    # A step may rebuild a table, which is impossible while its foreign keys are enforced; checked below
    # instead.
    connection.execute("PRAGMA foreign_keys=OFF")
    with _beating(connection, version, on_progress), transaction():
        migrations.apply(db)
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        if orphans:
            raise DatabaseCorrupt(path, f"{len(orphans)} rows refer to missing ones")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(migrations.applied(db))}")
    return backup_path


def _back_up(connection: sqlite3.Connection, path: Path, version: int, on_progress: Progress | None) -> Path:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    target = path.parent / "backups" / f"{path.stem}-schema{version}-{moment}.sqlite"

    def tell(remaining: int, total: int) -> None:
        if on_progress is not None:
            on_progress(COPIED * (total - remaining) // max(total, 1), TOTAL)

    back_up(connection, target, None if on_progress is None else tell)
    log.info("Backed up %s to %s before migrating it", path, target)
    return target


@contextmanager
def _beating(connection: sqlite3.Connection, version: int, on_progress: Progress | None) -> Iterator[None]:
    """Tell how far the steps are, by the work that SQLite has done for them."""
    if on_progress is None or not version:
        yield
        return
    ((n_parts,),) = connection.execute("SELECT count(*) FROM parts")
    n_expected = max(1, n_parts * _STEPS_A_PART // _BEAT_STEPS)
    n_done = 0

    def beat() -> int:
        nonlocal n_done
        n_done += 1
        on_progress(COPIED + (MIGRATED - COPIED) * min(n_done, n_expected) // n_expected, TOTAL)
        return 0

    connection.set_progress_handler(beat, _BEAT_STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)
