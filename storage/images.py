"""Images that people sent with their messages."""

from __future__ import annotations

from collections.abc import Sequence

from storage.database import Database
from storage.records import Image
from storage.rows import to_json


class Images:
    """All images."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, message_id: int, images: Sequence[Image]) -> None:
        """Keep them with a message, in this order; inside the transaction that stores the message."""
        for position, image in enumerate(images):
            self._database.execute(
                "INSERT INTO images (message_id, position, name, data) VALUES (?, ?, ?, ?)",
                [message_id, position, image.name, image.data],
            )

    def of(self, message_ids: Sequence[int]) -> dict[int, tuple[Image, ...]]:
        """The images of several messages; a message without any is absent."""
        found: dict[int, tuple[Image, ...]] = {}
        for message_id, name, data in self._database.query(
            "SELECT message_id, name, data FROM images WHERE message_id IN (SELECT value FROM json_each(?))"
            " ORDER BY message_id, position",
            [to_json(list(message_ids))],
        ):
            found[message_id] = (*found.get(message_id, ()), Image(name, bytes(data)))
        return found
