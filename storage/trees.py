"""Reads messages: one, or the path that leads to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storage.database import Database
from storage.errors import DatabaseCorrupt, NoSuchMessage
from storage.parts import Parts
from storage.records import Message
from storage.rows import MESSAGE_COLUMNS, message_of, to_json
from storage.streams import Streams


class Trees:
    """The trees of messages of all conversations."""

    def __init__(self, database: Database, streams: Streams) -> None:
        self._database = database
        self._streams = streams
        self._parts = Parts(database)

    def conversation_id_of(self, message_id: int) -> int:
        """The conversation that a message belongs to.

        Raises:
            NoSuchMessage: There is no such message.
        """
        rows = self._database.query("SELECT conversation_id FROM messages WHERE id = ?", [message_id])
        if not rows:
            raise NoSuchMessage(message_id)
        with self._database.sound():
            return int(rows[0]["conversation_id"])

    def message(self, message_id: int) -> Message:
        """One message, or `NoSuchMessage`."""
        rows = self._database.query(
            "SELECT sibling.id FROM messages JOIN messages AS sibling"
            " ON sibling.conversation_id = messages.conversation_id"
            " AND sibling.parent_id IS messages.parent_id WHERE messages.id = ? ORDER BY sibling.id",
            [message_id],
        )
        if not rows:
            raise NoSuchMessage(message_id)
        return self._read({message_id: [row["id"] for row in rows]})[0]

    def path_to(self, message_id: int) -> list[Message]:
        """The messages from the first one to this one, or `NoSuchMessage`."""
        rows = self._database.query(
            "SELECT id, parent_id FROM messages WHERE conversation_id = ? ORDER BY id",
            [self.conversation_id_of(message_id)],
        )
        parents: dict[int, int | None] = {}
        children: dict[int | None, list[int]] = {}
        for child_id, parent_id in rows:
            parents[child_id] = parent_id
            children.setdefault(parent_id, []).append(child_id)
        versions: dict[int, Sequence[int]] = {}
        step: int | None = message_id
        while step is not None:
            parent_id = parents.get(step, step)
            if parent_id is not None and parent_id >= step:
                # Nothing of ours writes that; following it might never end.
                raise DatabaseCorrupt(self._database.path, f"message {step} has lost its place in the tree")
            versions[step] = children[parent_id]
            step = parent_id
        return self._read(versions)

    def tip(self, message_id: int, n_messages: int, since: int | None = None) -> list[Message]:
        """The last messages of the path to this one, which is the last of them, or `NoSuchMessage`.

        However long the conversation is, it takes as long as so many messages do.

        Args:
            message_id: Where the path ends.
            n_messages: At least so many, if there are.
            since: Further back until a message that is not newer than this one.
        """
        self.conversation_id_of(message_id)
        steps = self._database.query(
            "WITH RECURSIVE way (id, parent_id, n) AS (SELECT id, parent_id, 1 FROM messages WHERE id = :id"
            " UNION ALL SELECT messages.id, messages.parent_id, n + 1"
            " FROM way JOIN messages ON messages.id = way.parent_id WHERE n < :n OR way.id > :since)"
            " SELECT id FROM way",
            {"id": message_id, "n": n_messages, "since": message_id if since is None else since},
        )
        versions: dict[int, list[int]] = {}
        for step_id, sibling_id in self._database.query(
            "SELECT step.id, sibling.id FROM json_each(:steps) JOIN messages AS step ON step.id = value"
            " JOIN messages AS sibling ON sibling.conversation_id = step.conversation_id"
            " AND sibling.parent_id IS step.parent_id ORDER BY step.id, sibling.id",
            {"steps": to_json([step["id"] for step in steps])},
        ):
            versions.setdefault(step_id, []).append(sibling_id)
        return self._read(versions)

    def _read(self, versions: Mapping[int, Sequence[int]]) -> list[Message]:
        """Messages, the oldest first, which is parents before their children.

        Args:
            versions: By message that is wanted: it and its siblings.
        """
        rows = self._database.query(
            f"SELECT {MESSAGE_COLUMNS} FROM messages"
            " LEFT JOIN ratings ON ratings.message_id = messages.id"
            " LEFT JOIN generations ON generations.message_id = messages.id"
            " WHERE messages.id IN (SELECT value FROM json_each(?)) ORDER BY messages.id",
            [to_json(list(versions))],
        )
        parts = self._parts.of(list(versions))
        with self._database.sound():
            return [
                message_of(
                    row,
                    self._streams.read(row["id"])
                    if row["status"] == "streaming"
                    else parts.get(row["id"], []),
                    versions[row["id"]],
                )
                for row in rows
            ]
