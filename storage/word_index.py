"""The index of words: what is said, the titles of conversations, the names of files.

Three FTS5 tables. `search` holds no content: its rowid is the part's id; reasoning has a column of its own,
everything else stands in `text`. `search_titles` (rowid: the conversation) and `search_files` (rowid: the
part, an image or a file) are small and keep what they hold. This module keeps them and not triggers, since
the text that they hold is made by `storage.terms`; one part costs the same however large the database is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from storage.database import Database
from storage.records import PartKind
from storage.terms import indexed

SAID: Final = (
    "CASE WHEN parts.kind IN ('tool_call', 'tool_result') AND parts.name IS NOT NULL"
    " THEN parts.name || ' ' || parts.text ELSE parts.text END"
)
"""What is indexed of a part, as SQL; `said` is the same in Python."""

TABLES: Final = ("search", "search_titles", "search_files", "search_passages")

_NAMED_FILES: Final = "SELECT id, name FROM parts WHERE kind IN ('image', 'file') AND name IS NOT NULL"

Progress = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


class WordIndex:
    """Keeps the index as the rows are; every writer calls it inside the transaction of its rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, part_id: int, kind: PartKind, text: str) -> None:
        """Index one part, inside the transaction that stores it."""
        self._database.execute(
            "INSERT INTO search (rowid, text, reasoning) VALUES (?, ?, ?)", [part_id, *_columns(kind, text)]
        )

    def name(self, conversation_id: int, title: str) -> None:
        """Index a title in place of the one before, inside the transaction that stores it."""
        self._database.execute("DELETE FROM search_titles WHERE rowid = ?", [conversation_id])
        if title:
            self._database.execute(
                "INSERT INTO search_titles (rowid, title) VALUES (?, ?)", [conversation_id, indexed(title)]
            )

    def name_file(self, part_id: int, name: str) -> None:
        """Index the name of an image or file, inside the transaction that stores it."""
        self._database.execute(
            "INSERT INTO search_files (rowid, name) VALUES (?, ?)", [part_id, indexed(name)]
        )

    def remove_conversation(self, conversation_id: int) -> None:
        """Take a conversation out, inside the transaction that is about to delete it."""
        self._remove(
            self._database.query(
                f"SELECT parts.id, kind, {SAID} AS text"
                " FROM parts JOIN messages ON messages.id = parts.message_id"
                " WHERE conversation_id = ?",
                [conversation_id],
            )
        )
        self._database.execute("DELETE FROM search_titles WHERE rowid = ?", [conversation_id])
        self._database.execute(
            "DELETE FROM search_files WHERE rowid IN (SELECT parts.id FROM parts"
            " JOIN messages ON messages.id = parts.message_id WHERE conversation_id = ?)",
            [conversation_id],
        )

    def fill(self, on_progress: Progress | None = None) -> None:
        """Index whatever of the three is wholly missing: the end of a migration that made or emptied it.

        Args:
            on_progress: Told how many are done, and all, of the one that is indexed; on this thread.
        """
        for is_missing, fill in (
            ("EXISTS (SELECT 1 FROM parts) AND NOT EXISTS (SELECT 1 FROM search_docsize)", self._fill_parts),
            (
                "EXISTS (SELECT 1 FROM conversations WHERE title <> '')"
                " AND NOT EXISTS (SELECT 1 FROM search_titles_docsize)",
                self._fill_titles,
            ),
            (
                "EXISTS (SELECT 1 FROM parts WHERE kind IN ('image', 'file'))"
                " AND NOT EXISTS (SELECT 1 FROM search_files_docsize)",
                self._fill_files,
            ),
        ):
            if self._database.query(f"SELECT {is_missing}")[0][0]:
                with self._database.transaction():
                    fill(on_progress or _ignore)

    def rebuild(self, on_progress: Progress | None = None) -> None:
        """Index everything again from its rows; 0.1 ms a message. A repair.

        Args:
            on_progress: Told the parts that are done, and all; on this thread.
        """
        with self._database.transaction():
            self._database.execute("INSERT INTO search (search) VALUES ('delete-all')")
            self._database.execute("DELETE FROM search_titles")
            self._database.execute("DELETE FROM search_files")
            self._fill_titles(_ignore)
            self._fill_files(_ignore)
            self._fill_parts(on_progress or _ignore)

    def merge(self) -> None:
        """Make one piece of each index, by which it takes least room and is read fastest.

        What was deleted leaves no trace in it: a deletion is a mark until the pieces are merged.
        """
        for table in TABLES:
            with self._database.transaction():
                self._database.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")

    def problems(self) -> list[str]:
        """Where the index differs from what the rows would make of it; empty is good. Reads all of both."""
        found = [
            f"part {row['id']} is {row['state']} the search index"
            for row in self._database.query("""
                SELECT id, 'missing from' AS state FROM parts WHERE id NOT IN (SELECT id FROM search_docsize)
                UNION ALL
                SELECT id, 'gone but still in' FROM search_docsize WHERE id NOT IN (SELECT id FROM parts)
            """)
        ]
        return (found or self._differing_terms()) + self._differing_names()

    def _differing_names(self) -> list[str]:
        found = []
        for what, rows, held in (
            (
                "the title of conversation",
                "SELECT id, title AS name FROM conversations WHERE title <> ''",
                "SELECT rowid AS id, title AS name FROM search_titles",
            ),
            (
                "the name of file",
                _NAMED_FILES,
                "SELECT rowid AS id, name FROM search_files",
            ),
        ):
            expected = {row["id"]: indexed(row["name"]) for row in self._database.query(rows)}
            indexed_names = {row["id"]: row["name"] for row in self._database.query(held)}
            found += [
                f"{what} {key} is indexed with other words than it has"
                for key in sorted(expected.keys() | indexed_names.keys())
                if expected.get(key) != indexed_names.get(key)
            ]
        return found

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
            for row in self._database.query(f"SELECT id, kind, {SAID} AS text FROM parts ORDER BY id"):
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

    def _fill_parts(self, on_progress: Progress) -> None:
        n_parts = self._database.query("SELECT count(*) FROM parts")[0][0]
        # By keys first: the texts of a whole database need not fit into memory.
        for done, key in enumerate(self._database.query("SELECT id FROM parts ORDER BY id")):
            if done % 1000 == 0:
                on_progress(done, n_parts)
            (row,) = self._database.query(
                f"SELECT id, kind, {SAID} AS text FROM parts WHERE id = ?", [key["id"]]
            )
            self.add(row["id"], row["kind"], row["text"])
        on_progress(n_parts, n_parts)

    def _fill_titles(self, _on_progress: Progress) -> None:
        for row in self._database.query("SELECT id, title FROM conversations WHERE title <> ''"):
            self.name(row["id"], row["title"])

    def _fill_files(self, _on_progress: Progress) -> None:
        for row in self._database.query(_NAMED_FILES):
            self.name_file(row["id"], row["name"])

    def _remove(self, rows: Iterable[sqlite3.Row]) -> None:
        for row in rows:
            # An index without content needs the text again to know what to take out.
            self._database.execute(
                "INSERT INTO search (search, rowid, text, reasoning) VALUES ('delete', ?, ?, ?)",
                [row["id"], *_columns(row["kind"], row["text"])],
            )


def said(kind: PartKind, text: str, name: str) -> str:
    """What is indexed of a part."""
    return f"{name} {text}" if kind in ("tool_call", "tool_result") and name else text


def _columns(kind: PartKind, text: str) -> tuple[str | None, str | None]:
    return (None, indexed(text)) if kind == "reasoning" else (indexed(text), None)


def _ignore(_done: int, _total: int) -> None:
    """Nobody wants to know."""
