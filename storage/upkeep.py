"""What can be given back to the disk, and who else holds what was deleted."""

from __future__ import annotations

from collections.abc import Sequence

from storage.backups import Backups
from storage.database import Database
from storage.records import Conversation
from storage.sizes import log_bytes
from storage.word_index import Progress, WordIndex


class Upkeep:
    """Care of one database; everything here takes long, and holds the storage thread."""

    def __init__(self, database: Database, index: WordIndex) -> None:
        self._database = database
        self._index = index

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
        before = self._bytes()
        self._index.merge()
        self._database.compact(on_progress or (lambda _done, _total: None))
        return before - self._bytes()

    def backups_with(self, gone: Sequence[Conversation]) -> list[str]:
        """Names of the backups that still hold some of these."""
        backups = Backups(self._database.path)
        found = {path.name for one in gone for path in backups.holding(one.id, one.created_at)}
        return sorted(found, reverse=True)

    def _bytes(self) -> int:
        ((n_pages,),) = self._database.query("PRAGMA page_count")
        ((page_bytes,),) = self._database.query("PRAGMA page_size")
        return int(n_pages * page_bytes) + log_bytes(self._database.path)
