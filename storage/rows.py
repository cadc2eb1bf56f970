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
# Of `messages` left-joined with `ratings` and `generations`, in the order of the records.
MESSAGE_COLUMNS = ", ".join(
    [
        *("messages.id", "conversation_id", "parent_id", "role", "status", "created_at", "rating"),
        *GENERATION_COLUMNS,
    ]
)
# A conversation with its folder and tags; a condition and an order are added.
SELECT_CONVERSATIONS = """
    SELECT conversations.*, folders.path AS folder,
        (SELECT json_group_array(name) FROM tags WHERE conversation_id = conversations.id) AS tags
    FROM conversations LEFT JOIN folders ON folders.id = folder_id
"""
_MODEL_NAME = GENERATION_COLUMNS.index("model_name")
_OF_JSON = tuple(GENERATION_COLUMNS.index(name) for name in ("parameters", "load_plan"))


def conversation_of(row: sqlite3.Row) -> Conversation:
    """A row of `SELECT_CONVERSATIONS`."""
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
        folder=row["folder"] or "",
        tags=tuple(json.loads(row["tags"])),
        is_pinned=bool(row["is_pinned"]),
        archived_at=_moment(row["archived_at"]),
        deleted_at=_moment(row["deleted_at"]),
    )


def message_of(row: sqlite3.Row, parts: Sequence[Part], sibling_ids: Sequence[int]) -> Message:
    """A row of `MESSAGE_COLUMNS`; those of the generation are NULL where there is none."""
    # Unpacked and not read by name: a long conversation has ten thousand of these.
    message_id, conversation_id, parent_id, role, status, created_at, rating, *generation = row
    return Message(
        id=message_id,
        conversation_id=conversation_id,
        parent_id=parent_id,
        role=role,
        status=status,
        created_at=datetime.fromisoformat(created_at),
        parts=tuple(parts),
        generation=generation_of(generation),
        sibling_ids=tuple(sibling_ids),
        rating=rating,
    )


def generation_values(generation: Generation) -> list[Any]:
    """The values of `GENERATION_COLUMNS`."""
    values: list[Any] = [getattr(generation, name) for name in GENERATION_COLUMNS]
    for column in _OF_JSON:
        if values[column] is not None:
            values[column] = to_json(values[column])
    return values


def to_json(value: Any) -> str:
    """As it stands in the database: readable, and the same text for the same value."""
    if isinstance(value, Mapping):
        value = dict(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def generation_of(values: list[Any]) -> Generation | None:
    """The values of `GENERATION_COLUMNS`, all of them None where there is none."""
    if values[_MODEL_NAME] is None:
        return None
    for column in _OF_JSON:
        if values[column] is not None:
            values[column] = json.loads(values[column])
    return Generation(*values)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
