"""Ollama's app: its database `db.sqlite`.

macOS: ~/Library/Application Support/Ollama; Windows: %LOCALAPPDATA%/Ollama.

Source: https://github.com/ollama/ollama/blob/main/app/store/database.go, schema versions 1 to 18
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    attached,
    generation,
    identifier,
    moment,
    role_of,
    text,
    tool_call,
    tool_result,
    with_content,
)
from storage.exchange.foreign_database import ForeignDatabase
from storage.exchange.weaving import path_of, woven
from storage.records import Generation, Part

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
    if row["role"] == "tool":
        parts = [tool_result(text(row["content"]), name=text(row.get("tool_name")))]
    else:
        parts = [Part("reasoning", text(row.get("thinking"))), Part("text", text(row["content"]))]
        parts += [*_attached(database, row["id"], lost), *_calls(database, row["id"])]
    return CarriedMessage(
        key=identifier(row["id"]),
        parent_key=None,
        role=role or "assistant",
        parts=with_content(parts) if role or row["role"] == "tool" else (),
        created_at=moment(row.get("created_at")),
        status="interrupted" if row.get("stream") == 1 else "complete",
        generation=_generation(row) if role == "assistant" else None,
        ended_at=moment(row.get("updated_at")),
    )


def _calls(database: ForeignDatabase, message_id: Any) -> Iterator[Part]:
    if not database.has("tool_calls"):
        return
    for row in database.rows("SELECT * FROM tool_calls WHERE message_id = ? ORDER BY id", [message_id]):
        name, call_id = text(row.get("function_name")), identifier(row["id"])
        yield tool_call(name, text(row.get("function_arguments")), call_id)
        if result := text(row.get("function_result")):
            yield tool_result(result, call_id, name)


def _attached(database: ForeignDatabase, message_id: Any, lost: Losses) -> Iterator[Part]:
    if not database.has("attachments"):
        return
    for row in database.rows("SELECT filename, data FROM attachments WHERE message_id = ?", [message_id]):
        data = row["data"]
        found = attached(text(row["filename"]), data) if isinstance(data, bytes) else None
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
