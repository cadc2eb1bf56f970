"""Alpaca (the GNOME app): its database `alpaca.db`, and the `.db` file of one exported chat.

Reasoning stands in the text as `<think>`; in newer versions in an attachment of the type `thought`.

Source: https://github.com/Jeffser/Alpaca (src/sql_manager.py)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    generation,
    identifier,
    image_of_base64,
    moment,
    role_of,
    text,
    text_file,
    tool_result,
    with_content,
)
from storage.exchange.foreign_database import ForeignDatabase
from storage.exchange.weaving import path_of, woven
from storage.records import Part

PROGRAM = "alpaca"
_THOUGHT = re.compile(r"\A\s*<think>(.*?)</think>\s*", re.DOTALL)


def recognizes(tables: Mapping[str, Set[str]]) -> bool:
    """Whether these tables, with their columns, are its."""
    return {"id", "name"} <= tables.get("chat", set()) and {"chat_id", "role", "date_time"} <= tables.get(
        "message", set()
    )


def conversations(database: ForeignDatabase) -> Iterator[Carried]:
    """All of them, one by one."""
    folders = _folders(database)
    for chat in database.rows("SELECT * FROM chat ORDER BY id"):
        yield _conversation(database, chat, folders)


def _folders(database: ForeignDatabase) -> dict[str, tuple[str, str]]:
    """Name and parent of each folder, by id."""
    if not database.has("folder"):
        return {}
    return {
        identifier(row["id"]): (text(row.get("name")), identifier(row.get("parent")))
        for row in database.rows("SELECT * FROM folder")
    }


def _conversation(
    database: ForeignDatabase, chat: Mapping[str, Any], folders: Mapping[str, tuple[str, str]]
) -> Carried:
    lost = Losses()
    nodes = [
        _message(database, row, lost)
        for row in database.rows(
            "SELECT * FROM message WHERE chat_id = ? ORDER BY date_time, rowid", [chat["id"]]
        )
    ]
    messages = woven(path_of(nodes))
    moments = [message.created_at for message in messages if message.created_at]
    return Carried(
        origin=f"{PROGRAM}:{identifier(chat['id'])}",
        title=text(chat["name"]),
        messages=messages,
        created_at=min(moments, default=None),
        updated_at=max(moments, default=None),
        folder=_way_to(identifier(chat.get("folder")), folders),
        lost=lost,
    )


def _way_to(folder_id: str, folders: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    way: list[str] = []
    while folder_id in folders and len(way) < 32:
        name, folder_id = folders[folder_id]
        way.insert(0, name)
    return tuple(name for name in way if name)


def _message(database: ForeignDatabase, row: Mapping[str, Any], lost: Losses) -> CarriedMessage:
    role = role_of(row["role"])
    said = text(row.get("content"))
    parts = [Part("text", said)]
    if role == "assistant" and (thought := _THOUGHT.match(said)):
        parts = [Part("reasoning", thought[1].strip()), Part("text", said[thought.end() :])]
    if database.has("attachment"):
        for attached in database.rows("SELECT * FROM attachment WHERE message_id = ?", [row["id"]]):
            _take(attached, parts, lost)
    return CarriedMessage(
        key=identifier(row["id"]),
        parent_key=None,
        role=role or "assistant",
        parts=with_content(parts) if role else (),
        created_at=moment(row["date_time"]),
        generation=generation(text(row.get("model")), engine="Alpaca") if role == "assistant" else None,
    )


def _take(attached: Mapping[str, Any], parts: list[Part], lost: Losses) -> None:
    kind, name, content = (text(attached.get(column)) for column in ("type", "name", "content"))
    if kind == "thought":
        parts.insert(0, Part("reasoning", content))
    elif kind == "image":
        image = image_of_base64(name, content)
        if image is not None:
            parts.append(image)
        else:
            lost.add("image")
    elif kind == "tool":
        parts.insert(0, tool_result(content, name=name))  # call and result as one text
    elif (
        kind in ("plain_text", "code", "pdf", "docx", "odt", "pptx", "xlsx", "website", "youtube") and content
    ):
        parts.append(text_file(name, content))
    else:
        lost.add("audio" if kind == "audio" else "file")
