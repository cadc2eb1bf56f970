"""GPT4All: its `gpt4all-*.chat` files, one conversation each, in Qt's binary stream format.

Versions 1 to 12 of the format; what was saved of the model's state in old versions is passed over.

Source: https://github.com/nomic-ai/gpt4all (gpt4all-chat/src/chatlistmodel.cpp, chat.cpp, chatllm.cpp,
chatmodel.cpp, tool.h); https://doc.qt.io/qt-6/datastreamformat.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import unquote

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    attached,
    digest,
    generation,
    moment,
    said_in,
    tool_call,
    tool_result,
    with_content,
)
from storage.exchange.qt_stream import QtStream
from storage.exchange.weaving import path_of, woven
from storage.records import Part, Role

PROGRAM = "gpt4all"
MAGIC = b"\xf5\xd5\x53\xcc"
NEWEST_VERSION = 12
_MAX_DEPTH = 8
_ROLES: Mapping[str, Role] = {"Prompt: ": "user", "Response: ": "assistant", "System: ": "system"}


@dataclass(slots=True)
class _Item:
    name: str
    value: str
    stopped: bool = False
    is_error: bool = False
    rating: int = 0
    n_sources: int = 0
    thought_ms: int | None = None
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    attachments: list[tuple[str, bytes]] = field(default_factory=list)
    children: list[_Item] = field(default_factory=list)


def convert(file: IO[bytes]) -> Carried:
    """The conversation of one file.

    Raises:
        ValueError: It is damaged, or of a newer version.
    """
    stream = QtStream(file)
    if stream.raw(4) != MAGIC:
        raise ValueError("not a chat of GPT4All")
    version = stream.int32()
    if not 1 <= version <= NEWEST_VERSION:
        raise ValueError(f"format {version}; up to {NEWEST_VERSION} are known")
    created_s = stream.int64()
    chat_id, title, _user_name, model = (stream.text() for _ in range(4))
    if version >= 3:
        for _ in range(stream.count(4)):  # collections of documents
            stream.text()
    if version < 11:
        _pass_over_state(stream, version)
    items = [_item(stream, version) for _ in range(stream.int32())]
    lost = Losses()
    nodes = [_message(place, item, model, lost) for place, item in enumerate(items)]
    return Carried(
        origin=f"{PROGRAM}:{chat_id}",
        title=title,
        messages=woven(path_of(nodes)),
        created_at=moment(created_s),
        lost=lost,
    )


def _pass_over_state(stream: QtStream, version: int) -> None:
    has_state = stream.boolean() if version >= 6 else True
    if version >= 2:
        stream.skip(8)  # kind of model, version of its state
    stream.text()
    stream.text()
    stream.skip(4)
    if not has_state:
        return
    stream.skip(8 if version < 4 else 4)
    if version >= 7:
        stream.skip(4)
    if version < 9:
        stream.skip(4 * stream.count(8))
    stream.skip(4 * stream.count(8))
    stream.skip_bytes()


def _item(stream: QtStream, version: int) -> _Item:
    if version < 12:
        stream.skip(4)
    item = _Item(stream.text(), stream.text())
    if item.name not in _ROLES:
        raise ValueError(f"a message of the kind {item.name!r}")
    if version < 10:
        stream.text()
    stream.text()  # a better answer that was proposed
    stream.boolean()
    item.stopped = stream.boolean()
    liked, disliked = stream.boolean(), stream.boolean()
    item.rating = int(liked) - int(disliked)
    if version >= 11 and item.name == "Response: ":
        item.is_error = stream.boolean()
    if version >= 8:
        item.n_sources = stream.count(8)
        for _ in range(item.n_sources):
            for _ in range(7):
                stream.text()
            stream.skip(12)
    elif version >= 3:
        stream.text()
        item.n_sources = stream.count(4)
        for _ in range(item.n_sources):
            stream.text()
    if version >= 10:
        for _ in range(stream.count(8)):
            url = stream.bytes().decode("utf-8", "replace")
            item.attachments.append((unquote(url).rsplit("/", 1)[-1], stream.bytes()))
    if version >= 12:
        item.children = [_child(stream, 1) for _ in range(stream.count(8))]
    return item


def _child(stream: QtStream, depth: int) -> _Item:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    item = _Item(stream.text(), stream.text())
    if item.name == "Think: ":
        item.thought_ms = stream.int32()
    elif item.name == "ToolCall: ":
        item.tool = stream.text()
        for _ in range(stream.count(8)):
            argument = stream.text()
            stream.skip(4)
            item.arguments[argument] = stream.variant()
        stream.text()
        stream.skip(4)
        stream.text()
    elif item.name not in ("Response: ", "ToolResponse: ", "Text: "):
        raise ValueError(f"a part of the kind {item.name!r}")
    item.children = [_child(stream, depth + 1) for _ in range(stream.count(8))]
    return item


def _message(place: int, item: _Item, model: str, lost: Losses) -> CarriedMessage:
    role = _ROLES[item.name]
    parts: list[Part] = []
    thought_ms = [0.0]
    for child in item.children:
        _gather(child, parts, thought_ms)
    parts += _apart(item.value) if role == "assistant" else [Part("text", item.value)]
    for name, data in item.attachments:
        if (found := attached(name, data)) is not None:
            parts.append(found)
        else:
            lost.add("file")
    lost.add("citation", item.n_sources)
    kept = with_content(parts)
    more: dict[str, Any] = {"rating": item.rating} if item.rating else {}
    return CarriedMessage(
        key=digest(place, role, said_in(kept)),
        parent_key=None,
        role=role,
        parts=kept,
        status="failed" if item.is_error else "interrupted" if item.stopped else "complete",
        generation=generation(model, engine="GPT4All", reasoning_ms=thought_ms[0] or None)
        if role == "assistant"
        else None,
        more=more,
    )


def _gather(item: _Item, parts: list[Part], thought_ms: list[float]) -> None:
    if item.name == "Think: ":
        parts.append(Part("reasoning", _untagged(item.value)))
        thought_ms[0] += item.thought_ms or 0
    elif item.name == "ToolCall: ":
        parts.append(tool_call(item.tool, item.arguments))
    elif item.name == "ToolResponse: ":
        parts.append(tool_result(item.value))
    else:
        for child in item.children:
            _gather(child, parts, thought_ms)
        parts.append(Part("text", item.value))


def _apart(value: str) -> list[Part]:
    begins = value.lstrip()
    end = begins.find("</think>")
    if not begins.startswith("<think>") or end < 0:
        return [Part("text", value)]
    return [
        Part("reasoning", _untagged(begins[:end])),
        Part("text", begins[end + len("</think>") :].lstrip()),
    ]


def _untagged(value: str) -> str:
    return value.strip().removeprefix("<think>").removesuffix("</think>").strip()
