"""The library's entries, as far as the database keeps them; the files themselves are `model_manager`'s."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar

from storage.database import Database, now_text
from storage.records import StoredModel
from storage.rows import to_json

log = logging.getLogger(__name__)

_Value = TypeVar("_Value")

_COLUMNS = (
    "paths",
    "size_bytes",
    "sha256",
    "source",
    "is_ours",
    "chat_template",
    "info",
    "tags",
    "note",
    "looks",
    "verification",
    "home",
    "moving",
)
_PUT = (
    f"INSERT INTO models (name, added_at, {', '.join(_COLUMNS)})"
    f" VALUES (:name, :added_at, {', '.join(f':{column}' for column in _COLUMNS)})"
    f" ON CONFLICT (name) DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in _COLUMNS)}"
)


class Models:
    """Library entries by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[StoredModel]:
        """All entries, by name; one of which nothing can be read is left out, and `verify` tells it."""
        rows = self._database.query("SELECT * FROM models ORDER BY name")
        return [model for row in rows if (model := _model_of(row)) is not None]

    def get(self, name: str) -> StoredModel | None:
        """The entry of this name; None where there is none."""
        rows = self._database.query("SELECT * FROM models WHERE name = ?", [name])
        return _model_of(rows[0]) if rows else None

    def put(self, model: StoredModel) -> None:
        """Add an entry, or replace the one of the same name."""
        self.put_all([model])

    def put_all(self, models: Sequence[StoredModel]) -> None:
        """Add or replace several entries at once, or none of them."""
        with self._database.transaction():
            for model in models:
                self._database.execute(_PUT, _values_of(model))

    def delete(self, name: str) -> None:
        """Forget an entry; nothing happens where there is none."""
        with self._database.transaction():
            self._database.execute("DELETE FROM models WHERE name = ?", [name])
            self._database.execute("DELETE FROM model_uses WHERE model_name = ?", [name])


def _values_of(model: StoredModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "paths": to_json(model.paths),
        "size_bytes": model.size_bytes,
        "sha256": None if model.sha256 is None else to_json(model.sha256),
        "source": model.source,
        "is_ours": model.is_ours,
        "chat_template": model.chat_template,
        "info": to_json(model.info),
        "tags": to_json(model.tags),
        "note": model.note,
        "looks": to_json(model.looks),
        "verification": None if model.verification is None else to_json(model.verification),
        "home": model.home,
        "moving": None if model.moving is None else to_json(model.moving),
        "added_at": now_text(),
    }


def _model_of(row: sqlite3.Row) -> StoredModel | None:
    """The entry of a row; None where not even its files can be read: all else can be found out again."""
    paths, sha256 = _read(row, "paths", list), _read(row, "sha256", list)
    if not paths:
        log.info("the files of the model %s cannot be read from its row", row["name"])
        return None
    return StoredModel(
        name=row["name"],
        paths=tuple(paths),
        size_bytes=row["size_bytes"],
        sha256=None if sha256 is None else tuple(sha256),
        source=row["source"],
        is_ours=bool(row["is_ours"]),
        chat_template=row["chat_template"],
        info=_read(row, "info", dict) or {},
        tags=tuple(_read(row, "tags", list) or ()),
        note=row["note"],
        looks=tuple((int(size), int(mtime)) for size, mtime in _read(row, "looks", list) or ()),
        verification=_read(row, "verification", dict),
        home=row["home"],
        moving=_read(row, "moving", dict),
    )


def _read(row: sqlite3.Row, column: str, kind: type[_Value]) -> _Value | None:
    """What a column holds as JSON; None where it holds nothing, or something else."""
    try:
        value = None if row[column] is None else json.loads(row[column])
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, kind) else None
