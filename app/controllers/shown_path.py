"""How much of a conversation has been read to be shown: its end, and what stands above as it is asked for."""

from __future__ import annotations

from typing import Final

from storage.records import Conversation, Message
from storage.store import Store
from storage.thread import StorageThread

N_SHOWN: Final = 100
"""Messages that are read at once: more than a screen shows, and a millisecond's work."""

Opened = tuple[Conversation, list[Message]]
"""A conversation, and the last messages of the path to its head."""


class ShownPath:
    """Reads pieces of paths; its methods block, on any thread."""

    def __init__(self, storage: StorageThread) -> None:
        self._storage = storage

    def open(self, conversation_id: int, since: int | None = None) -> Opened:
        """The end of what was shown last; at least from the message `since` on, if that is on the path."""

        def read(store: Store) -> Opened:
            found = store.conversations.get(conversation_id)
            return found, store.conversations.tip(conversation_id, N_SHOWN, since)

        return self._storage.call(read)

    def open_at(self, conversation_id: int, message_id: int, since: int | None = None) -> Opened:
        """Show the branch of a message from now on: its end, at least from this message on; see `open`."""

        def read(store: Store) -> Opened:
            found = store.conversations.select(conversation_id, message_id)
            first_id = message_id if since is None else min(since, message_id)
            return found, store.conversations.tip(conversation_id, N_SHOWN, first_id)

        return self._storage.call(read)

    def earlier(self, last_id: int, *, is_everything: bool) -> list[Message]:
        """The messages before those that were read, of which the last is `last_id`: some of them, or all."""
        n_messages = None if is_everything else N_SHOWN
        return self._storage.call(lambda store: store.conversations.path_to(last_id, n_messages))

    def head_id(self, conversation_id: int) -> int | None:
        """The last message; None where there is none."""
        return self._storage.call(lambda store: store.conversations.get(conversation_id).head_id)
