"""Reads messages: one, or the path that leads to one."""

from __future__ import annotations

from collections.abc import Sequence

from storage.database import Database
from storage.errors import NoSuchMessage
from storage.records import Message, Part
from storage.rows import message_of, to_json
from storage.streams import Streams


class Trees:
    """The trees of messages of all conversations."""

    def __init__(self, database: Database, streams: Streams) -> None:
        self._database = database
        self._streams = streams

    def conversation_id_of(self, message_id: int) -> int:
        """The conversation that a message belongs to.

        Raises:
            NoSuchMessage: There is no such message.
        """
        rows = self._database.query("SELECT conversation_id FROM messages WHERE id = ?", [message_id])
        if not rows:
            raise NoSuchMessage(message_id)
        return int(rows[0]["conversation_id"])

    def message(self, message_id: int) -> Message:
        """One message, or `NoSuchMessage`."""
        return self._messages(self.conversation_id_of(message_id), [message_id])[0]

    def path_to(self, message_id: int) -> list[Message]:
        """The messages from the first one to this one, or `NoSuchMessage`."""
        conversation_id = self.conversation_id_of(message_id)
        rows = self._database.query(
            "SELECT id, parent_id FROM messages WHERE conversation_id = ?", [conversation_id]
        )
        parents: dict[int, int | None] = {row["id"]: row["parent_id"] for row in rows}
        path: list[int] = []
        step: int | None = message_id
        while step is not None:
            path.append(step)
            step = parents[step]
        return self._messages(conversation_id, path)

    def _messages(self, conversation_id: int, message_ids: Sequence[int]) -> list[Message]:
        """These messages of one conversation, oldest first: parents have smaller ids than their children."""
        wanted = to_json(message_ids)
        rows = self._database.query(
            "SELECT * FROM messages LEFT JOIN generations ON generations.message_id = messages.id"
            " WHERE messages.id IN (SELECT value FROM json_each(?)) ORDER BY messages.id",
            [wanted],
        )
        parts: dict[int, list[Part]] = {}
        for part in self._database.query(
            "SELECT message_id, kind, text FROM parts WHERE message_id IN (SELECT value FROM json_each(?))"
            " ORDER BY message_id, position",
            [wanted],
        ):
            parts.setdefault(part["message_id"], []).append(Part(part["kind"], part["text"]))
        versions = self._versions(conversation_id, [row["parent_id"] for row in rows])
        return [
            message_of(
                row,
                self._streams.read(row["id"]) if row["status"] == "streaming" else parts.get(row["id"], []),
                versions[row["parent_id"]],
            )
            for row in rows
        ]

    def _versions(
        self, conversation_id: int, parent_ids: Sequence[int | None]
    ) -> dict[int | None, list[int]]:
        """The children of each of these parents, oldest first; of None, the first messages."""
        versions: dict[int | None, list[int]] = {}
        for row in self._database.query(
            "SELECT id, parent_id FROM messages WHERE conversation_id = :conversation_id AND"
            " (parent_id IN (SELECT value FROM json_each(:parents)) OR (:with_roots AND parent_id IS NULL))"
            " ORDER BY id",
            {
                "conversation_id": conversation_id,
                "parents": to_json([parent for parent in parent_ids if parent is not None]),
                "with_roots": None in parent_ids,
            },
        ):
            versions.setdefault(row["parent_id"], []).append(row["id"])
        return versions
