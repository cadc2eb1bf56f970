"""Everything that the program keeps, behind one object."""

from __future__ import annotations

from pathlib import Path

from storage.conversations import Conversations
from storage.costs import Costs
from storage.database import Database
from storage.downloads import Downloads
from storage.exchange.filing import Filing
from storage.knowledge.citations import Citations
from storage.knowledge.collections import Knowledge
from storage.models import Models
from storage.parts import Parts
from storage.prompts import Prompts
from storage.ratings import Ratings
from storage.search import Search
from storage.settings import Settings
from storage.shelf import Shelf
from storage.speeds import Speeds
from storage.thoughts import Thoughts
from storage.traces import Traces
from storage.trash import Trash
from storage.upgrading import MIGRATED, TOTAL, Progress
from storage.upkeep import Upkeep


class Store:
    """One open database. Belongs to the thread that made it; others go through `storage.thread`.

    Attributes:
        backup_path: The copy that was made because this opening migrated the file; None when it did not.
    """

    def __init__(self, path: Path, on_progress: Progress | None = None) -> None:
        """Open the file, making or migrating it where needed.

        Args:
            path: The file.
            on_progress: Told how far a migration is, and the search index that it may need, on this thread.

        Raises:
            DatabaseUnusable: One of its kinds; see `storage.database.Database`.
        """
        self._database = Database(path, on_progress)
        self.path = path
        self.backup_path = self._database.backup_path
        self.search = Search(self._database)
        self.parts = Parts(self._database)
        self.conversations = Conversations(self._database, self.search)
        self.shelf = Shelf(self._database)
        self.trash = Trash(self._database, self.search)
        self.upkeep = Upkeep(self._database, self.search)
        self.ratings = Ratings(self._database)
        self.prompts = Prompts(self._database)
        self.filing = Filing(self._database, self.search)
        self.settings = Settings(self._database)
        self.models = Models(self._database)
        self.downloads = Downloads(self._database)
        self.traces = Traces(self._database)
        self.speeds = Speeds(self._database)
        self.thoughts = Thoughts(self._database)
        self.costs = Costs(self._database)
        self.knowledge = Knowledge(self._database)
        self.citations = Citations(self._database)
        try:
            self.search.fill(None if on_progress is None else _after(MIGRATED, on_progress))
            self.knowledge.fill()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        self._database.close()

    def mark_interrupted(self) -> int:
        """Turn answers that were cut off into interrupted ones; see `Conversations.mark_interrupted`."""
        return self.conversations.mark_interrupted()

    def back_up(self, target: Path) -> None:
        """Write a verified copy to `target`, which must not exist; see `storage.backup`."""
        self._database.back_up(target)


def _after(begun: int, on_progress: Progress) -> Progress:
    """For work that is the rest of a larger one."""
    return lambda done, total: on_progress(begun + (TOTAL - begun) * done // max(total, 1), TOTAL)
