"""Conversations that a person deleted and may want back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.database import Database, now_text
from storage.errors import NoSuchConversation
from storage.filters import moment_text
from storage.records import Conversation
from storage.rows import SELECT_CONVERSATIONS, conversation_of
from storage.search import Search


class Trash:
    """What lies here is in no list and not found, and is otherwise as it was until it is deleted for good."""

    def __init__(self, database: Database, search: Search) -> None:
        self._database = database
        self._search = search

    def put(self, conversation_id: int) -> None:
        """Throw a conversation away; one that lies here already keeps its time.

        Raises:
            NoSuchConversation: There is none.
        """
        self._mark(conversation_id, "coalesce(deleted_at, :now)")

    def restore(self, conversation_id: int) -> None:
        """Take it out again; nothing happens where it was not in here.

        Raises:
            NoSuchConversation: There is none, or it was deleted for good.
        """
        self._mark(conversation_id, "NULL")

    def list(self) -> list[Conversation]:
        """What lies here, the newest first."""
        rows = self._database.query(
            SELECT_CONVERSATIONS
            + " WHERE deleted_at IS NOT NULL ORDER BY deleted_at DESC, conversations.id DESC"
        )
        with self._database.sound():
            return [conversation_of(row) for row in rows]

    def delete(self, conversation_id: int) -> None:
        """Remove a conversation with all its messages, also from the search index, for good.

        Raises:
            NoSuchConversation: There is none.
        """
        with self._database.transaction():
            if not self._database.query("SELECT 1 FROM conversations WHERE id = ?", [conversation_id]):
                raise NoSuchConversation(conversation_id)
            self._search.remove_conversation(conversation_id)
            self._database.execute("DELETE FROM conversations WHERE id = ?", [conversation_id])

    def empty(self, older_than_days: float = 0.0) -> tuple[int, ...]:
        """Delete for good what has lain here for so long; each conversation in a transaction of its own.

        Args:
            older_than_days: 0 is everything. By this machine's clock: one that was put back keeps things
                longer.

        Returns:
            The ids of what is gone.
        """
        limit = moment_text(datetime.now(UTC) - timedelta(days=older_than_days))
        rows = self._database.query(
            "SELECT id FROM conversations WHERE deleted_at IS NOT NULL AND (deleted_at <= ? OR ? <= 0)"
            " ORDER BY deleted_at, id",
            [limit, older_than_days],
        )
        gone = tuple(int(row["id"]) for row in rows)
        for conversation_id in gone:
            self.delete(conversation_id)
        return gone

    def _mark(self, conversation_id: int, value: str) -> None:
        with self._database.transaction():
            parameters = {"id": conversation_id, "now": now_text()}
            if not self._database.query("SELECT 1 FROM conversations WHERE id = :id", parameters):
                raise NoSuchConversation(conversation_id)
            self._database.execute(
                f"UPDATE conversations SET deleted_at = {value} WHERE id = :id", parameters
            )
