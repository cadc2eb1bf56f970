"""What the file takes and what can be given back: sizes by kind, and compaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from storage.backups import Backups
from storage.database import Database
from storage.records import Conversation
from storage.word_index import Progress, WordIndex

# Rows of each kind, and what of them counts. Text counts as UTF-8, without what SQLite adds.
_SIZES: Final = {
    "text": "SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM parts WHERE kind = 'text'",
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


class Upkeep:
    """Care of one database; everything here takes long, and holds the storage thread."""

    def __init__(self, database: Database, index: WordIndex) -> None:
        self._database = database
        self._index = index

    def sizes(self) -> Sizes:
        """What everything takes; reads all of it."""
        ((page_bytes,),) = self._database.query("PRAGMA page_size")
        ((n_pages,),) = self._database.query("PRAGMA page_count")
        ((n_free,),) = self._database.query("PRAGMA freelist_count")
        log_bytes = 0
        with suppress(FileNotFoundError):
            log_bytes = self._database.path.with_name(self._database.path.name + "-wal").stat().st_size
        return Sizes(
            file_bytes=n_pages * page_bytes,
            log_bytes=log_bytes,
            free_bytes=n_free * page_bytes,
            kinds={kind: int(self._database.query(sql)[0][0]) for kind, sql in _SIZES.items()},
            backups_bytes=sum(file.size_bytes for file in Backups(self._database.path).list()),
        )

    def compact(self, on_progress: Progress | None = None) -> int:
        """Merge the search index, write the file anew, empty its log.

        After this nothing is in the file and its log of what was deleted from it. Rows are overwritten when
        they are deleted (`secure_delete`); their words stay in the search index until its pieces are merged
        (FTS5's own option needs a newer SQLite than systems have), and everything in the log until it is
        emptied. What the disk itself or its snapshots keep is beyond a program.

        Args:
            on_progress: Told steps that are done, and about how many there are. May raise to end it.

        Returns:
            Bytes that were given back; below 0 where the file grew.

        Raises:
            DatabaseDiskFull: There is no room for the new file beside the old one; nothing was changed.
            DatabaseLocked: Another program reads it.
        """
        before = self.sizes()
        self._index.merge()
        self._database.compact(on_progress or (lambda _done, _total: None))
        after = self.sizes()
        return (before.file_bytes + before.log_bytes) - (after.file_bytes + after.log_bytes)

    def backups_with(self, gone: Sequence[Conversation]) -> list[str]:
        """Names of the backups that still hold some of these."""
        backups = Backups(self._database.path)
        found = {path.name for one in gone for path in backups.holding(one.id, one.created_at)}
        return sorted(found, reverse=True)
