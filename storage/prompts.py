"""The library of prompts: what conversations can begin with."""

from __future__ import annotations

import json
import sqlite3
import unicodedata

from storage.database import Database, now_text
from storage.errors import NoSuchPrompt
from storage.records import Prompt
from storage.rows import to_json
from storage.shelf import label


class Prompts:
    """Prompts by name; letters of another case make the same name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[Prompt]:
        """All prompts, by name."""
        with self._database.sound():
            return [_prompt_of(row) for row in self._database.query("SELECT * FROM prompts ORDER BY name")]

    def get(self, name: str) -> Prompt:
        """The prompt of this name.

        Raises:
            NoSuchPrompt: There is none.
        """
        rows = self._database.query("SELECT * FROM prompts WHERE name = ?", [_clean(name)])
        if not rows:
            raise NoSuchPrompt(name)
        with self._database.sound():
            return _prompt_of(rows[0])

    def put(self, prompt: Prompt) -> Prompt:
        """Add a prompt, or replace the one of the same name; conversations that began with it stay.

        Raises:
            UnusableLabel: Its name cannot be used.
        """
        name, now = label(prompt.name), now_text()
        with self._database.transaction():
            self._database.execute(
                "INSERT INTO prompts (name, text, model_name, sampling, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET name = excluded.name,"
                " text = excluded.text, model_name = excluded.model_name, sampling = excluded.sampling,"
                " updated_at = excluded.updated_at",
                [name, prompt.text, prompt.model_name, to_json(prompt.sampling), now, now],
            )
        return self.get(name)

    def delete(self, name: str) -> None:
        """Remove a prompt.

        Raises:
            NoSuchPrompt: There is none.
        """
        with self._database.transaction():
            self.get(name)
            self._database.execute("DELETE FROM prompts WHERE name = ?", [_clean(name)])


def _clean(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def _prompt_of(row: sqlite3.Row) -> Prompt:
    return Prompt(row["name"], row["text"], row["model_name"], json.loads(row["sampling"]))
