"""Rows of the database as the values of `storage.records`, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from storage.records import Conversation, Generation, Message, Part

GENERATION_COLUMNS = tuple(field.name for field in fields(Generation))


def conversation_of(row: sqlite3.Row) -> Conversation:
    """A row of `conversations`."""
    return Conversation(
        id=row["id"],
        title=row["title"],
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        model_name=row["model_name"],
        system_prompt=row["system_prompt"],
        sampling=json.loads(row["sampling"]),
        head_id=row["head_id"],
        title_is_automatic=bool(row["title_is_automatic"]),
    )


def message_of(row: sqlite3.Row, parts: Sequence[Part], sibling_ids: Sequence[int]) -> Message:
    """A row of `messages` joined with `generations`, whose columns are NULL where there is none."""
    return Message(
        id=row["id"],
        conversation_id=row["conversation_id"],
        parent_id=row["parent_id"],
        role=row["role"],
        status=row["status"],
        created_at=datetime.fromisoformat(row["created_at"]),
        parts=tuple(parts),
        generation=_generation_of(row),
        sibling_ids=tuple(sibling_ids),
    )


def generation_values(generation: Generation) -> list[Any]:
    """The values of `GENERATION_COLUMNS`."""
    return [
        to_json(generation.parameters) if name == "parameters" else getattr(generation, name)
        for name in GENERATION_COLUMNS
    ]


def to_json(value: Any) -> str:
    """As it stands in the database: readable, and the same text for the same value."""
    if isinstance(value, Mapping):
        value = dict(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _generation_of(row: sqlite3.Row) -> Generation | None:
    if row["model_name"] is None:
        return None
    values = {name: row[name] for name in GENERATION_COLUMNS}
    return Generation(**{**values, "parameters": json.loads(row["parameters"])})
