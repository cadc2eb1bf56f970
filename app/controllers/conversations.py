"""The use case of the window's left side: the list of conversations, and finding something in them."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.bridge import Bridge
from app.services import Services
from storage.records import Conversation, SearchHit

N_HITS = 100


class ConversationsController(QObject):
    """Lists, names, deletes and searches conversations. Lives on the Qt thread.

    Signals:
        listed: List of Conversation, the newest first.
        found: List of SearchHit; None when the search has ended.
        failed: Exception, for a sentence.
    """

    listed = Signal(object)
    found = Signal(object)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = services.storage
        self._forget = services.forget_conversation
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

    def delete(self, conversation_id: int) -> None:
        """Delete for good; the person has confirmed."""

        def work() -> list[Conversation]:
            self._storage.call(lambda store: store.conversations.delete(conversation_id))
            self._forget(conversation_id)
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
