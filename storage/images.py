"""Images that people sent with their messages; the same bytes are kept once.

A trigger removes bytes that no message has any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from storage.database import Database
from storage.records import Image
from storage.rows import to_json
from storage.word_index import WordIndex


class Images:
    """All images."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._index = WordIndex(database)

    def insert(self, message_id: int, images: Sequence[Image]) -> None:
        """Keep them with a message, in this order; inside the transaction that stores the message."""
        for position, image in enumerate(images):
            image_id = self._database.execute(
                "INSERT INTO images (message_id, position, name, blob_id) VALUES (?, ?, ?, ?)",
                [message_id, position, image.name, self._blob_id(image.data)],
            )
            self._index.name_file(image_id, image.name)

    def _blob_id(self, data: bytes) -> int:
        """Of these bytes, which are stored unless they are there."""
        sha256 = hashlib.sha256(data).hexdigest()
        rows = self._database.query("SELECT id FROM blobs WHERE sha256 = ?", [sha256])
        if rows:
            return int(rows[0]["id"])
        return self._database.execute("INSERT INTO blobs (sha256, data) VALUES (?, ?)", [sha256, data])

    def of(self, message_ids: Sequence[int]) -> dict[int, tuple[Image, ...]]:
        """The images of several messages; a message without any is absent."""
        found: dict[int, tuple[Image, ...]] = {}
        for message_id, name, data in self._database.query(
            "SELECT message_id, name, data FROM images JOIN blobs ON blobs.id = blob_id"
            " WHERE message_id IN (SELECT value FROM json_each(?)) ORDER BY message_id, position",
            [to_json(list(message_ids))],
        ):
            found[message_id] = (*found.get(message_id, ()), Image(name, bytes(data)))
        return found
