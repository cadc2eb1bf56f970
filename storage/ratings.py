"""What a person thinks of answers."""

from __future__ import annotations

from storage.database import Database, now_text
from storage.errors import NoSuchMessage, NotRatable
from storage.records import Rating


class Ratings:
    """One opinion an answer, the last one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rate(self, message_id: int, rating: Rating | None) -> None:
        """Keep an opinion, or with None take it back.

        Raises:
            NoSuchMessage: There is no such message.
            NotRatable: It is not an answer.
        """
        with self._database.transaction():
            rows = self._database.query("SELECT role FROM messages WHERE id = ?", [message_id])
            if not rows:
                raise NoSuchMessage(message_id)
            if rows[0]["role"] != "assistant":
                raise NotRatable(message_id)
            if rating is None:
                self._database.execute("DELETE FROM ratings WHERE message_id = ?", [message_id])
                return
            self._database.execute(
                "INSERT INTO ratings (message_id, rating, rated_at) VALUES (?, ?, ?) ON CONFLICT (message_id)"
                " DO UPDATE SET rating = excluded.rating, rated_at = excluded.rated_at",
                [message_id, rating, now_text()],
            )
