"""The text of answers that are still being written.

A reasoning trace of 100 KB is flushed some hundred times. Writing it whole each time would write 10 MB, so
only what is new goes into the append-only table `chunks`; at the end the parts are written once and the
chunks removed.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.database import Database
from storage.records import Part


class Streams:
    """Turns whole parts, as callers have them, into what has to be appended."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # By message: what its chunks add up to. Only a saving: it can be read again from the file at any
        # time.
        self._written: dict[int, tuple[Part, ...]] = {}

    def read(self, message_id: int) -> tuple[Part, ...]:
        """The parts that the chunks of a message add up to."""
        rows = self._database.query(
            "SELECT position, kind, text FROM chunks WHERE message_id = ? ORDER BY position, id", [message_id]
        )
        texts: dict[int, list[str]] = {}
        kinds = {}
        for row in rows:
            texts.setdefault(row["position"], []).append(row["text"])
            kinds[row["position"]] = row["kind"]
        return tuple(Part(kinds[position], "".join(pieces)) for position, pieces in texts.items())

    def write(self, message_id: int, parts: Sequence[Part]) -> None:
        """Append what `parts` have beyond what was written before, inside a transaction.

        When that transaction fails, call `forget`.
        """
        parts = tuple(parts)
        before = self._written.get(message_id)
        if before is None:
            before = self.read(message_id)
        if not _continues(parts, before):
            # Rare: text that was shown is taken back, such as the beginning of a stop string.
            self.clear(message_id)
            before = ()
        for position, part in enumerate(parts):
            is_new = position >= len(before)
            delta = part.text if is_new else part.text[len(before[position].text) :]
            if delta or is_new:
                self._database.execute(
                    "INSERT INTO chunks (message_id, position, kind, text) VALUES (?, ?, ?, ?)",
                    [message_id, position, part.kind, delta],
                )
        self._written[message_id] = parts

    def forget(self, message_id: int) -> None:
        """Drop what is remembered of a message, so that the file is asked again."""
        self._written.pop(message_id, None)

    def clear(self, message_id: int) -> None:
        """Remove the chunks of a message, inside a transaction."""
        self.forget(message_id)
        self._database.execute("DELETE FROM chunks WHERE message_id = ?", [message_id])


def _continues(parts: tuple[Part, ...], before: tuple[Part, ...]) -> bool:
    return len(parts) >= len(before) and all(
        new.kind == old.kind and new.text.startswith(old.text)
        for new, old in zip(parts, before, strict=False)
    )
