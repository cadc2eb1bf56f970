"""Ollama's app: its database `db.sqlite`.

macOS: ~/Library/Application Support/Ollama; Windows: %LOCALAPPDATA%/Ollama.

Source: https://github.com/ollama/ollama/blob/main/app/store/database.go, schema versions 1 to 18
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import Losses, generation, identifier, image, moment, role_of, text
from storage.exchange.foreign_database import ForeignDatabase
from storage.exchange.weaving import path_of, woven
from storage.records import Generation, Image, Part

PROGRAM = "ollama"


def recognizes(tables: Mapping[str, Set[str]]) -> bool:
    """Whether these tables, with their columns, are its."""
    return {"id", "title"} <= tables.get("chats", set()) and {"chat_id", "role", "content"} <= tables.get(
        "messages", set()
    )


def conversations(database: ForeignDatabase) -> Iterator[Carried]:
    """All of them, one by one."""
    for chat in database.rows("SELECT * FROM chats ORDER BY created_at, id"):
        yield _conversation(database, chat)


def _conversation(database: ForeignDatabase, chat: Mapping[str, Any]) -> Carried:
    lost = Losses()
    chat_id = identifier(chat["id"])
    nodes = [
        _message(database, row, lost)
        for row in database.rows("SELECT * FROM messages WHERE chat_id = ? ORDER BY id", [chat["id"]])
    ]
    if chat.get("browser_state"):
        lost.add("state")
    messages = woven(path_of(nodes))
    return Carried(
        origin=f"{PROGRAM}:{chat_id}",
        title=text(chat["title"]),
        messages=messages,
        created_at=moment(chat.get("created_at")),
        updated_at=max((message.created_at for message in messages if message.created_at), default=None),
        lost=lost,
    )


def _message(database: ForeignDatabase, row: Mapping[str, Any], lost: Losses) -> CarriedMessage:
    role = role_of(row["role"])
    parts = (Part("reasoning", text(row.get("thinking"))), Part("text", text(row["content"])))
    if role is None:
        lost.add("tool_result")
    if database.has("tool_calls"):
        lost.add(
            "tool_call", len(database.rows("SELECT id FROM tool_calls WHERE message_id = ?", [row["id"]]))
        )
    return CarriedMessage(
        key=identifier(row["id"]),
        parent_key=None,
        role=role or "assistant",
        parts=tuple(part for part in parts if part.text) if role else (),
        created_at=moment(row.get("created_at")),
        status="interrupted" if row.get("stream") == 1 else "complete",
        generation=_generation(row) if role == "assistant" else None,
        ended_at=moment(row.get("updated_at")),
        images=tuple(_images(database, row["id"], lost)) if role else (),
    )


def _images(database: ForeignDatabase, message_id: Any, lost: Losses) -> Iterator[Image]:
    if not database.has("attachments"):
        return
    for row in database.rows("SELECT filename, data FROM attachments WHERE message_id = ?", [message_id]):
        data = row["data"]
        found = image(text(row["filename"]), data) if isinstance(data, bytes) else None
        if found is not None:
            yield found
        else:
            lost.add("file")


def _generation(row: Mapping[str, Any]) -> Generation:
    began, ended = moment(row.get("thinking_time_start")), moment(row.get("thinking_time_end"))
    thought_ms = 1000 * (ended - began).total_seconds() if began and ended else None
    return generation(
        text(row.get("model_name")),
        engine="Ollama",
        reasoning_ms=thought_ms if thought_ms is not None and thought_ms >= 0 else None,
    )
