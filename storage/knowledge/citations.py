"""The passages that questions were sent with, kept beside the question as they were then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from storage.database import Database
from storage.knowledge.records import Citation
from storage.knowledge.rows import passage_of, passage_values
from storage.rows import to_json


class Citations:
    """Of all messages. They never change, as messages do not."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def insert(self, message_id: int, citations: Sequence[Citation]) -> None:
        """Keep them with a question; inside the transaction that stores it."""
        for citation in citations:
            self._database.execute(
                "INSERT INTO citations (message_id, number, collection, path, title,"
                " headings, page, line, line_end, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    message_id,
                    citation.number,
                    citation.collection,
                    str(citation.path),
                    citation.title,
                    *passage_values(citation.passage),
                ],
            )

    def of(self, message_ids: Sequence[int]) -> dict[int, tuple[Citation, ...]]:
        """Those of several messages, by number; a message without any is absent."""
        found: dict[int, tuple[Citation, ...]] = {}
        for row in self._database.query(
            "SELECT * FROM citations WHERE message_id IN (SELECT value FROM json_each(?))"
            " ORDER BY message_id, number",
            [to_json(list(message_ids))],
        ):
            citation = Citation(
                row["number"], row["collection"], Path(row["path"]), row["title"], passage_of(row)
            )
            found[row["message_id"]] = (*found.get(row["message_id"], ()), citation)
        return found
