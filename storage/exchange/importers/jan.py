"""Jan: `threads/<id>/thread.json` with `messages.jsonl` beside it, in its data folder or a zip of it.

Source: https://github.com/janhq/jan (core/src/types/thread/threadEntity.ts,
core/src/types/message/messageEntity.ts); the message's metadata holds the speed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    digest,
    generation,
    identifier,
    image_of_base64,
    items,
    mapping,
    moment,
    number,
    objects,
    role_of,
    said_in,
    text,
    tool_call,
    tool_result,
    with_content,
)
from storage.exchange.weaving import path_of, woven
from storage.records import Generation, Part

PROGRAM = "jan"
_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>(.*?)</think(?:ing)?>\s*", re.DOTALL)


def recognizes_thread(value: Mapping[str, Any]) -> bool:
    """Whether this is a `thread.json`."""
    return "id" in value and (value.get("object") == "thread" or isinstance(value.get("assistants"), list))


def recognizes_message(value: Mapping[str, Any]) -> bool:
    """Whether this is a line of a `messages.jsonl`."""
    return value.get("object") == "thread.message" or ("thread_id" in value and "content" in value)


def of_thread(thread: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> Carried:
    """One conversation of its thread and its messages; the thread is empty where its file is not there."""
    lost = Losses()
    assistant = next(iter(objects(thread.get("assistants"))), {})
    model = text(mapping(assistant.get("model")).get("id"))
    nodes = path_of([_message(place, message, model, lost) for place, message in enumerate(said)])
    thread_id = identifier(thread.get("id")) or identifier(next(iter(said), {}).get("thread_id"))
    return Carried(
        origin=f"{PROGRAM}:{thread_id}",
        title=text(thread.get("title")),
        messages=woven(nodes),
        created_at=moment(thread.get("created")),
        updated_at=moment(thread.get("updated")),
        system_prompt=text(assistant.get("instructions")),
        more={"is_pinned": True} if mapping(thread.get("metadata")).get("is_favorite") is True else {},
        lost=lost,
    )


def _message(place: int, message: Mapping[str, Any], model: str, lost: Losses) -> CarriedMessage:
    role = role_of(message.get("role"))
    if message.get("role") == "tool":
        parts = [tool_result(message.get("content"), identifier(message.get("tool_call_id")))]
    else:
        parts = _content(message, lost)
    if role == "assistant":
        parts = _apart(parts)
    lost.add("file", len(items(message.get("attachments"))))
    status = message.get("status")
    return CarriedMessage(
        key=identifier(message.get("id")) or digest(place, [said for _kind, said in said_in(parts)]),
        parent_key=None,
        role=role or "assistant",
        parts=with_content(parts) if role or message.get("role") == "tool" else (),
        created_at=moment(message.get("created_at")),
        status="failed"
        if status == "error"
        else "interrupted"
        if status in ("stopped", "pending")
        else "complete",
        generation=_generation(message, model) if role == "assistant" else None,
        ended_at=moment(message.get("completed_at")),
    )


def _content(message: Mapping[str, Any], lost: Losses) -> list[Part]:
    parts: list[Part] = []
    for piece in objects(message.get("content")):
        value = text(mapping(piece.get("text")).get("value"))
        match piece.get("type"):
            case "text":
                parts.append(Part("text", value))
                lost.add("citation", len(items(mapping(piece.get("text")).get("annotations"))))
            case "reasoning":
                parts.append(Part("reasoning", value))
            case "image_url":
                image = image_of_base64("", mapping(piece.get("image_url")).get("url"))
                if image is not None:
                    parts.append(image)
                else:
                    lost.add("image")
            case "tool_call":
                name, call_id = text(piece.get("tool_name")), identifier(piece.get("tool_call_id"))
                parts.append(tool_call(name, piece.get("input"), call_id))
                if piece.get("output") is not None:
                    parts.append(tool_result(_output(piece["output"]), call_id, name))
            case _:
                lost.add("other")
    if not parts and isinstance(message.get("content"), str):
        parts.append(Part("text", text(message["content"])))
    return parts


def _output(value: Any) -> Any:
    """Tools of the Model Context Protocol give `{"content": [blocks]}`."""
    return mapping(value).get("content", value)


def _apart(parts: list[Part]) -> list[Part]:
    """Reasoning that stands as tags at the beginning of the answer."""
    if parts and parts[0].kind == "text" and (found := _THOUGHT.match(parts[0].text)):
        return [Part("reasoning", found[1].strip()), Part("text", parts[0].text[found.end() :]), *parts[1:]]
    return parts


def _generation(message: Mapping[str, Any], model: str) -> Generation:
    metadata = mapping(message.get("metadata"))
    assistant = mapping(metadata.get("assistant"))
    speed = mapping(metadata.get("tokenSpeed"))
    return generation(
        text(mapping(assistant.get("model")).get("id")) or text(metadata.get("modelId")) or model,
        engine="Jan",
        decode_tokens_per_s=number(speed.get("tokenSpeed")),
        error=text(message.get("error_code")) or None,
    )
