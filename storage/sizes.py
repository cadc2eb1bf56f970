"""What the file takes, by kind.

Everything is read on a connection of its own, so that whoever uses the database meanwhile waits for nothing.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from storage.backups import Backups
from storage.faults import faults_of

# Rows of each kind, and what of them counts. Text counts as UTF-8, without what SQLite adds.
_SIZES: Final = {
    "text": "SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM parts WHERE kind <> 'reasoning'",
    "reasoning": "SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM parts WHERE kind = 'reasoning'",
    "attachments": "SELECT coalesce(sum(length(data)), 0) FROM blobs",
    "routing": "SELECT coalesce(sum(length(data)), 0) FROM traces WHERE kind LIKE 'expert%'",
    "tokens": "SELECT coalesce(sum(length(data)), 0) FROM traces WHERE kind NOT LIKE 'expert%'",
    "search index": "SELECT (SELECT coalesce(sum(length(block)), 0) FROM search_data)"
    " + (SELECT coalesce(sum(length(block)), 0) FROM search_titles_data)"
    " + (SELECT coalesce(sum(length(block)), 0) FROM search_files_data)"
    " + (SELECT coalesce(sum(length(block)), 0) FROM search_passages_data)",
    "knowledge": "SELECT (SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM passages)"
    " + (SELECT coalesce(sum(length(data)), 0) FROM vectors)"
    " + (SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM citations)",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes on the disk.

    Attributes:
        file_bytes: The database, without its log.
        log_bytes: The log, which is emptied when the program ends.
        free_bytes: Pages of the file that hold nothing; compaction gives them back.
        kinds: Bytes of content by kind; the rest of the file is rows' other columns and SQLite's own order.
        backups_bytes: All files in the folder of backups.
    """

    file_bytes: int
    log_bytes: int
    free_bytes: int
    kinds: dict[str, int]
    backups_bytes: int


def sizes_of(database: Path) -> Sizes:
    """What everything takes; reads all of it, on whatever thread.

    Raises:
        DatabaseUnusable: One of its kinds.
    """
    with faults_of(database), closing(_reader(database)) as connection:

        def number(sql: str) -> int:
            return int(connection.execute(sql).fetchone()[0])

        page_bytes = number("PRAGMA page_size")
        return Sizes(
            file_bytes=number("PRAGMA page_count") * page_bytes,
            log_bytes=log_bytes(database),
            free_bytes=number("PRAGMA freelist_count") * page_bytes,
            kinds={kind: number(sql) for kind, sql in _SIZES.items()},
            backups_bytes=sum(file.size_bytes for file in Backups(database).list()),
        )


def log_bytes(database: Path) -> int:
    """Length of the database's log; 0 where there is none."""
    with suppress(FileNotFoundError):
        return database.with_name(database.name + "-wal").stat().st_size
    return 0


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
