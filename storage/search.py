"""Finds words in questions, answers and reasoning.

The index is the table `search` (FTS5 without content): its rowid is the part's id, its columns are the kinds
of parts, so that a query for one kind is a column filter. It is kept by this module and not by triggers,
since the text that it holds is made by `storage.terms`; one part costs the same however large the database
has become.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from storage.database import Database
from storage.records import PartKind, SearchHit
from storage.snippets import snippet
from storage.terms import indexed, terms_of

_HITS = """
    SELECT parts.message_id, parts.kind, parts.text, messages.conversation_id, messages.created_at,
        conversations.title
    FROM (SELECT rowid FROM search WHERE search MATCH :expression ORDER BY rowid DESC LIMIT :limit) AS found
    CROSS JOIN parts ON parts.id = found.rowid
    JOIN messages ON messages.id = parts.message_id
    JOIN conversations ON conversations.id = messages.conversation_id
    ORDER BY messages.id DESC, parts.position
"""


class Search:
    """Full-text search over all parts of all messages that are finished or were interrupted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, text: str, *, limit: int = 50, part: PartKind | None = None) -> list[SearchHit]:
        """The newest parts that contain every word of `text`.

        Words are compared without case and accents; what stands in double quotes, or is joined by punctuation
        (`get_logits_ith`), must stand so in the text; Chinese, Japanese and Korean match anywhere. The last
        word may be unfinished. No text raises; one without a letter or digit finds nothing.

        Args:
            text: As typed.
            limit: At most so many parts.
            part: Only this kind.
        """
        terms = terms_of(text)
        if not terms:
            return []
        expression = " AND ".join(term.expression for term in terms)
        if part is not None:
            expression = f"{{{part}}} : ({expression})"
        rows = self._database.query(_HITS, {"expression": expression, "limit": limit})
        return [
            SearchHit(
                conversation_id=row["conversation_id"],
                message_id=row["message_id"],
                part=row["kind"],
                snippet=snippet(row["text"], terms),
                title=row["title"],
                created_at=datetime.fromisoformat(row["created_at"]),
            )
            for row in rows
        ]

    def add(self, part_id: int, kind: PartKind, text: str) -> None:
        """Index one part, inside the transaction that stores it."""
        self._database.execute(
            "INSERT INTO search (rowid, text, reasoning) VALUES (?, ?, ?)", [part_id, *_columns(kind, text)]
        )

    def remove_conversation(self, conversation_id: int) -> None:
        """Take all parts of a conversation out, inside the transaction that is about to delete them."""
        self._remove(
            self._database.query(
                "SELECT parts.id, kind, text FROM parts JOIN messages ON messages.id = parts.message_id"
                " WHERE conversation_id = ?",
                [conversation_id],
            )
        )

    def fill(self) -> None:
        """Index everything if nothing is: the end of a migration that emptied the index."""
        rows = self._database.query(
            "SELECT EXISTS (SELECT 1 FROM parts) AND NOT EXISTS (SELECT 1 FROM search_docsize)"
        )
        if rows[0][0]:
            self.rebuild()

    def rebuild(self) -> None:
        """Index everything again from the parts; 0.1 ms a message. A repair."""
        with self._database.transaction():
            self._database.execute("INSERT INTO search (search) VALUES ('delete-all')")
            for row in self._database.query("SELECT id, kind, text FROM parts ORDER BY id"):
                self.add(row["id"], row["kind"], row["text"])

    def problems(self) -> list[str]:
        """Where the index differs from what the parts would make of it; empty is good. Reads all of both."""
        found = [
            f"part {row['id']} is {row['state']} the search index"
            for row in self._database.query("""
                SELECT id, 'missing from' AS state FROM parts WHERE id NOT IN (SELECT id FROM search_docsize)
                UNION ALL
                SELECT id, 'gone but still in' FROM search_docsize WHERE id NOT IN (SELECT id FROM parts)
            """)
        ]
        return found or self._differing_terms()

    def _differing_terms(self) -> list[str]:
        """Build the index a second time, in a temporary table, and compare the two word lists."""
        with self._database.transaction():
            self._database.execute("""
                CREATE VIRTUAL TABLE temp.again USING fts5 (
                    text, reasoning, content = '', tokenize = 'unicode61 remove_diacritics 2')
            """)
            self._database.execute(
                "CREATE VIRTUAL TABLE temp.terms_now USING fts5vocab (main, search, instance)"
            )
            self._database.execute(
                "CREATE VIRTUAL TABLE temp.terms_again USING fts5vocab (temp, again, instance)"
            )
            for row in self._database.query("SELECT id, kind, text FROM parts ORDER BY id"):
                self._database.execute(
                    "INSERT INTO temp.again (rowid, text, reasoning) VALUES (?, ?, ?)",
                    [row["id"], *_columns(row["kind"], row["text"])],
                )
            rows = self._database.query("""
                SELECT DISTINCT doc FROM (
                    SELECT * FROM (SELECT * FROM temp.terms_now EXCEPT SELECT * FROM temp.terms_again)
                    UNION ALL
                    SELECT * FROM (SELECT * FROM temp.terms_again EXCEPT SELECT * FROM temp.terms_now)
                ) ORDER BY doc
            """)
            for table in ("terms_now", "terms_again", "again"):
                self._database.execute(f"DROP TABLE temp.{table}")
        return [f"part {row['doc']} is indexed with other words than it has" for row in rows]

    def _remove(self, rows: Iterable[sqlite3.Row]) -> None:
        for row in rows:
            # An index without content needs the text again to know what to take out.
            self._database.execute(
                "INSERT INTO search (search, rowid, text, reasoning) VALUES ('delete', ?, ?, ?)",
                [row["id"], *_columns(row["kind"], row["text"])],
            )


def _columns(kind: PartKind, text: str) -> tuple[str | None, str | None]:
    return (indexed(text), None) if kind == "text" else (None, indexed(text))
