"""The web page of llama.cpp's server: its exports of conversations.

Since 2026 JSON Lines, a line `{"type": "session", ...}` and one `{"type": "message", "message": ...}` for
each message, one file a conversation in a zip; before that an array of `{"conv": ..., "messages": [...]}`,
or one.

Source: llama.cpp, tools/ui/src/lib/services/conversation-transfer.service.ts and
tools/ui/src/lib/types/database.d.ts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    count,
    generation,
    identifier,
    image_of_base64,
    mapping,
    moment,
    number,
    objects,
    openai_calls,
    rate,
    role_of,
    text,
    text_file,
    tool_result,
    with_content,
)
from storage.exchange.weaving import surviving, woven
from storage.records import Generation, Part

PROGRAM = "llama_ui"
_TEXT_KINDS = ("TEXT", "context", "PDF", "MCP_PROMPT", "MCP_RESOURCE")


def recognizes(value: Mapping[str, Any]) -> bool:
    """Whether this is one of its conversations, in the older shape."""
    return isinstance(value.get("conv"), dict) and isinstance(value.get("messages"), list)


def begins_session(value: Mapping[str, Any]) -> bool:
    """Whether this is the first line of a conversation in the newer shape."""
    return value.get("type") == "session" and "currNode" in value


def message_of_session(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The message of a line of the newer shape; None for a line that holds none."""
    return mapping(value.get("message")) if value.get("type") == "message" else None


def convert(value: Mapping[str, Any]) -> Carried:
    """One conversation of the older shape."""
    return of_session(mapping(value.get("conv")), list(objects(value.get("messages"))))


def of_session(session: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> Carried:
    """One conversation of its head and its messages."""
    lost = Losses()
    nodes = [_message(message, lost) for message in said]
    messages = woven(nodes)
    return Carried(
        origin=f"{PROGRAM}:{identifier(session.get('id'))}",
        title=text(session.get("name")),
        messages=messages,
        head_key=surviving(identifier(session.get("currNode")) or None, nodes, messages),
        created_at=min(filter(None, (message.created_at for message in messages)), default=None),
        updated_at=moment(session.get("lastModified")),
        more={"is_pinned": True} if session.get("pinned") is True else {},
        lost=lost,
    )


def _message(message: Mapping[str, Any], lost: Losses) -> CarriedMessage:
    role = role_of(message.get("role"))
    is_root = message.get("type") == "root"
    parts: list[Part] = []
    if message.get("role") == "tool":
        parts = [tool_result(text(message.get("content")), identifier(message.get("toolCallId")))]
    elif role is not None and not is_root:
        parts = [
            Part("reasoning", text(message.get("reasoningContent")) or text(message.get("thinking"))),
            Part("text", text(message.get("content"))),
        ]
        parts += openai_calls(message.get("toolCalls"))
        for extra in objects(message.get("extra")):
            _take(extra, parts, lost)
    return CarriedMessage(
        key=identifier(message.get("id")),
        parent_key=identifier(message.get("parent")) or None,
        role=role or "assistant",
        parts=with_content(parts),
        created_at=moment(message.get("timestamp")),
        generation=_generation(message) if role == "assistant" else None,
    )


def _take(extra: Mapping[str, Any], parts: list[Part], lost: Losses) -> None:
    kind = text(extra.get("type"))
    name = text(extra.get("name"))
    if kind == "IMAGE":
        image = image_of_base64(name, extra.get("base64Url"))
        if image is not None:
            parts.append(image)
        else:
            lost.add("image")
    elif kind in _TEXT_KINDS and text(extra.get("content")):
        parts.append(text_file(name, text(extra.get("content"))))
    else:
        lost.add("audio" if kind == "AUDIO" else "video" if kind == "VIDEO" else "file")


def _generation(message: Mapping[str, Any]) -> Generation:
    timings = mapping(message.get("timings"))
    prompt_ms, predicted_ms = number(timings.get("prompt_ms")), number(timings.get("predicted_ms"))
    read, cached, written = (count(timings.get(name)) for name in ("prompt_n", "cache_n", "predicted_n"))
    return generation(
        text(message.get("model")),
        engine="llama.cpp",
        prompt_tokens=None if read is None else read + (cached or 0),
        cached_tokens=cached,
        completion_tokens=written,
        ttft_ms=prompt_ms,
        prefill_tokens_per_s=rate(read, prompt_ms),
        decode_tokens_per_s=rate(written, predicted_ms),
    )
