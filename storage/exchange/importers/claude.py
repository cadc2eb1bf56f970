"""Claude: `conversations.json` of a data export.

An array; messages have blocks (`text`, `thinking`, `tool_use`, `tool_result`), and since 2026 the uuid of
their parent, the first ones that of nobody. Older exports are a list in order, with the text also in
`text`.

Source: https://github.com/Sinity/polylogue (docs/providers/claude-ai.md),
https://github.com/socketteer/Claude-Conversation-Exporter (no model in official exports)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    digest,
    generation,
    identifier,
    items,
    moment,
    objects,
    role_of,
    text,
    text_file,
    tool_call,
    tool_result,
    with_content,
)
from storage.exchange.weaving import path_of, surviving, woven
from storage.records import Part

PROGRAM = "claude"
_UNKNOWN_MODEL = "Claude"


def recognizes(value: Mapping[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    return isinstance(value.get("chat_messages"), list) and "uuid" in value


def convert(value: Mapping[str, Any]) -> Carried:
    """One conversation."""
    lost = Losses()
    model = text(value.get("model")) or _UNKNOWN_MODEL
    nodes = [
        _message(place, message, model, lost) for place, message in enumerate(objects(value["chat_messages"]))
    ]
    if not any("parent_message_uuid" in message for message in objects(value["chat_messages"])):
        nodes = list(path_of(nodes))
    messages = woven(nodes)
    return Carried(
        origin=f"{PROGRAM}:{identifier(value.get('uuid'))}",
        title=text(value.get("name")),
        messages=messages,
        head_key=surviving(identifier(value.get("current_leaf_message_uuid")) or None, nodes, messages),
        created_at=moment(value.get("created_at")),
        updated_at=moment(value.get("updated_at")),
        lost=lost,
    )


def _message(place: int, message: Mapping[str, Any], model: str, lost: Losses) -> CarriedMessage:
    role = role_of(message.get("sender")) or "assistant"
    parts = _parts(message, lost)
    return CarriedMessage(
        key=identifier(message.get("uuid")) or digest(place, text(message.get("text"))),
        parent_key=identifier(message.get("parent_message_uuid")) or None,
        role=role,
        parts=parts,
        created_at=moment(message.get("created_at")),
        status="interrupted" if message.get("truncated") is True and role == "assistant" else "complete",
        generation=generation(model, engine="Claude", stop_reason=text(message.get("stop_reason")) or None)
        if role == "assistant"
        else None,
    )


def _parts(message: Mapping[str, Any], lost: Losses) -> tuple[Part, ...]:
    parts: list[Part] = []
    for block in objects(message.get("content")):
        match block.get("type"):
            case "text":
                parts.append(Part("text", text(block.get("text"))))
                lost.add("citation", len(items(block.get("citations"))))
            case "thinking":
                parts.append(Part("reasoning", text(block.get("thinking"))))
            case "tool_use":
                call = tool_call(text(block.get("name")), block.get("input"), identifier(block.get("id")))
                parts.append(call)
            case "tool_result":
                call_id = identifier(block.get("tool_use_id"))
                parts.append(tool_result(block.get("content"), call_id, text(block.get("name"))))
            case "image":
                lost.add("image")
            case _:
                lost.add("other")
    parts = list(with_content(parts))
    if not any(part.kind == "text" for part in parts) and message.get("text"):
        parts.append(Part("text", text(message["text"])))
    for attachment in objects(message.get("attachments")):
        content = text(attachment.get("extracted_content"))
        if content:
            parts.append(text_file(text(attachment.get("file_name")), content))
        else:
            lost.add("file")
    lost.add("file", len(items(message.get("files"))))
    return _spaced(parts)


def _spaced(parts: list[Part]) -> tuple[Part, ...]:
    """Texts that follow each other as one, with a blank line between them."""
    joined: list[Part] = []
    for part in parts:
        if joined and joined[-1].kind == part.kind in ("text", "reasoning"):
            joined[-1] = Part(part.kind, f"{joined[-1].text}\n\n{part.text}")
        else:
            joined.append(part)
    return tuple(joined)
