"""What messages say and hold: text, reasoning, tool calls and their results, images, files.

The bytes of images and files are kept once, however many messages have them; a trigger removes those that no
message has any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from storage.database import Database, storable
from storage.records import Part
from storage.rows import to_json
from storage.word_index import WordIndex, said


class Parts:
    """The parts of all messages that are not being written just now."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._index = WordIndex(database)

    def insert(self, message_id: int, parts: Sequence[Part]) -> None:
        """Keep them, and let search find them; inside the transaction that stores the message."""
        for position, part in enumerate(parts):
            text, name = storable(part.text), storable(part.name)
            part_id = self._database.execute(
                "INSERT INTO parts (message_id, position, kind, text, name, call_id, blob_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    message_id,
                    position,
                    part.kind,
                    text,
                    name or None,
                    storable(part.call_id) or None,
                    None if part.data is None else self._blob_id(part.data),
                ],
            )
            self._index.add(part_id, part.kind, said(part.kind, text, name))
            if part.kind in ("image", "file") and name:
                self._index.name_file(part_id, name)

    def of(self, message_ids: Sequence[int]) -> dict[int, list[Part]]:
        """The parts of several messages in order, without the bytes of images and files."""
        found: dict[int, list[Part]] = {}
        for message_id, kind, text, name, call_id in self._database.query(
            "SELECT message_id, kind, text, name, call_id FROM parts"
            " WHERE message_id IN (SELECT value FROM json_each(?)) ORDER BY message_id, position",
            [to_json(list(message_ids))],
        ):
            found.setdefault(message_id, []).append(Part(kind, text, name or "", call_id or ""))
        return found

    def attachments(self, message_ids: Sequence[int]) -> dict[int, tuple[Part, ...]]:
        """The images and files of several messages, whole; a message without any is absent."""
        found: dict[int, tuple[Part, ...]] = {}
        for message_id, kind, text, name, data in self._database.query(
            "SELECT message_id, kind, text, name, data FROM parts LEFT JOIN blobs ON blobs.id = blob_id"
            " WHERE message_id IN (SELECT value FROM json_each(?)) AND kind IN ('image', 'file')"
            " ORDER BY message_id, position",
            [to_json(list(message_ids))],
        ):
            whole = Part(kind, text, name or "", data=None if data is None else bytes(data))
            found[message_id] = (*found.get(message_id, ()), whole)
        return found

    def _blob_id(self, data: bytes) -> int:
        """Of these bytes, which are stored unless they are there."""
        sha256 = hashlib.sha256(data).hexdigest()
        rows = self._database.query("SELECT id FROM blobs WHERE sha256 = ?", [sha256])
        if rows:
            return int(rows[0]["id"])
        return self._database.execute("INSERT INTO blobs (sha256, data) VALUES (?, ?)", [sha256, data])
