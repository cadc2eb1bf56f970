"""The index of the passages' words: the FTS5 table `search_passages`, whose rowid is the passage's id.

It holds no content. Kept by this module inside the transactions of the rows, as `storage.word_index` is.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from storage.database import Database
from storage.knowledge.question import expression_of
from storage.terms import indexed

# A word of a heading tells more than one of the text.
_WEIGHTS: Final = "1.0, 2.0"
_ROWS: Final = (
    "SELECT passages.id, passages.text, passages.headings, documents.title"
    " FROM passages JOIN documents ON documents.id = document_id"
)
_FOUND: Final = f"""
    SELECT search_passages.rowid AS id FROM search_passages
    JOIN passages ON passages.id = search_passages.rowid
    JOIN documents ON documents.id = passages.document_id
    JOIN sources ON sources.id = documents.source_id
    WHERE search_passages MATCH ? AND sources.collection_id = ?
    ORDER BY bm25(search_passages, {_WEIGHTS}), search_passages.rowid LIMIT ?
"""
_TITLE_WORDS: Final = re.compile(r"[_\-./]+")


class PassageIndex:
    """Finds passages by their words."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, collection_id: int, text: str, limit: int) -> list[int]:
        """Ids of the passages that have words of `text`, the best first (BM25)."""
        expression = expression_of(text)
        if not expression:
            return []
        rows = self._database.query(_FOUND, [expression, collection_id, limit])
        return [row["id"] for row in rows]

    def add(self, passage_id: int, text: str, headings: Sequence[str], title: str) -> None:
        """Index one passage, inside the transaction that stores it."""
        self._database.execute(
            "INSERT INTO search_passages (rowid, text, headings) VALUES (?, ?, ?)",
            [passage_id, *_columns(text, headings, title)],
        )

    def remove_document(self, document_id: int) -> None:
        """Take its passages out, inside the transaction that is about to delete them."""
        for row in self._database.query(f"{_ROWS} WHERE document_id = ?", [document_id]):
            # An index without content needs the text again to know what to take out.
            self._database.execute(
                "INSERT INTO search_passages (search_passages, rowid, text, headings)"
                " VALUES ('delete', ?, ?, ?)",
                [row["id"], *_columns_of(row)],
            )

    def fill(self) -> None:
        """Index everything if nothing is: the end of a migration that emptied the index."""
        ((is_missing,),) = self._database.query(
            "SELECT EXISTS (SELECT 1 FROM passages) AND NOT EXISTS (SELECT 1 FROM search_passages_docsize)"
        )
        if is_missing:
            with self._database.transaction():
                for row in self._database.query(_ROWS):
                    self.add(row["id"], row["text"], json.loads(row["headings"]), row["title"])

    def problems(self) -> list[str]:
        """Where the index and the rows differ; empty is good."""
        return [
            f"passage {row['id']} is {row['state']} the search index"
            for row in self._database.query("""
                SELECT id, 'missing from' AS state FROM passages
                WHERE id NOT IN (SELECT id FROM search_passages_docsize)
                UNION ALL
                SELECT id, 'gone but still in' FROM search_passages_docsize
                WHERE id NOT IN (SELECT id FROM passages)
            """)
        ]


def _columns_of(row: sqlite3.Row) -> tuple[str, str]:
    return _columns(row["text"], json.loads(row["headings"]), row["title"])


def _columns(text: str, headings: Iterable[str], title: str) -> tuple[str, str]:
    return indexed(text), indexed("\n".join([_TITLE_WORDS.sub(" ", title), *headings]))
