"""The use case of the window's left side: the list of conversations, and finding something in them."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.bridge import Bridge
from app.services import Services
from storage.records import Conversation, SearchHit

N_HITS = 100


class ConversationsController(QObject):
    """Lists, names, throws away and searches conversations. Lives on the Qt thread.

    Signals:
        listed: List of Conversation: those that are pinned, then the newest first.
        thrown_away: Conversation that is in the trash now.
        found: List of SearchHit; None when the search has ended.
        failed: Exception, for a sentence.
    """

    listed = Signal(object)
    thrown_away = Signal(object)
    found = Signal(object)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = services.storage
        self._bridge = bridge
        self._query = ""

    def refresh(self) -> None:
        """Read the list anew."""
        self._bridge.run(self._list, self.listed.emit, self.failed.emit)

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a title."""

        def work() -> list[Conversation]:
            self._storage.call(lambda store: store.conversations.rename(conversation_id, title))
            return self._list()

        self._bridge.run(work, self.listed.emit, self.failed.emit)

    def throw_away(self, conversation_id: int) -> None:
        """Put it into the trash, and tell what is there now."""

        def work() -> tuple[Conversation, list[Conversation]]:
            self._storage.call(lambda store: store.trash.put(conversation_id))
            return self._storage.call(lambda store: store.conversations.get(conversation_id)), self._list()

        def tell(done: tuple[Conversation, list[Conversation]]) -> None:
            self.listed.emit(done[1])
            self.thrown_away.emit(done[0])

        self._bridge.run(work, tell, self.failed.emit)

    def restore(self, conversation_id: int) -> None:
        """Take it out of the trash again."""

        def work() -> list[Conversation]:
            self._storage.call(lambda store: store.trash.restore(conversation_id))
            return self._list()

        self._bridge.run(work, self.listed.emit, self.failed.emit)

    def search(self, text: str) -> None:
        """Find `text` in all messages; an empty one ends the search."""
        self._query = text
        if not text.strip():
            self.found.emit(None)
            return

        def find() -> list[SearchHit]:
            return self._storage.call(lambda store: store.search.find(text, limit=N_HITS))

        # What comes back after the person has typed on is no longer wanted.
        self._bridge.run(
            find, lambda hits: self.found.emit(hits) if text == self._query else None, self.failed.emit
        )

    def _list(self) -> list[Conversation]:
        return self._storage.call(lambda store: store.conversations.list())
