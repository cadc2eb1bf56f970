"""The library's entries, as far as the database keeps them; the files themselves are `model_manager`'s."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from storage.database import Database, now_text
from storage.records import StoredModel
from storage.rows import to_json


class Models:
    """Library entries by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[StoredModel]:
        """All entries, by name."""
        return [_model_of(row) for row in self._database.query("SELECT * FROM models ORDER BY name")]

    def get(self, name: str) -> StoredModel | None:
        """The entry of this name; None where there is none."""
        rows = self._database.query("SELECT * FROM models WHERE name = ?", [name])
        return _model_of(rows[0]) if rows else None

    def put(self, model: StoredModel) -> None:
        """Add an entry, or replace the one of the same name."""
        values: dict[str, Any] = {
            "name": model.name,
            "paths": to_json(model.paths),
            "size_bytes": model.size_bytes,
            "sha256": None if model.sha256 is None else to_json(model.sha256),
            "source": model.source,
            "is_ours": model.is_ours,
            "chat_template": model.chat_template,
            "info": to_json(model.info),
            "added_at": now_text(),
        }
        with self._database.transaction():
            self._database.execute(
                """
                INSERT INTO models
                    (name, paths, size_bytes, sha256, source, is_ours, chat_template, info, added_at)
                VALUES
                    (:name, :paths, :size_bytes, :sha256, :source, :is_ours, :chat_template, :info, :added_at)
                ON CONFLICT (name) DO UPDATE SET
                    paths = excluded.paths, size_bytes = excluded.size_bytes, sha256 = excluded.sha256,
                    source = excluded.source, is_ours = excluded.is_ours,
                    chat_template = excluded.chat_template, info = excluded.info
                """,
                values,
            )

    def delete(self, name: str) -> None:
        """Forget an entry; nothing happens where there is none."""
        with self._database.transaction():
            self._database.execute("DELETE FROM models WHERE name = ?", [name])


def _model_of(row: sqlite3.Row) -> StoredModel:
    return StoredModel(
        name=row["name"],
        paths=tuple(json.loads(row["paths"])),
        size_bytes=row["size_bytes"],
        sha256=None if row["sha256"] is None else tuple(json.loads(row["sha256"])),
        source=row["source"],
        is_ours=bool(row["is_ours"]),
        chat_template=row["chat_template"],
        info=json.loads(row["info"]),
    )
