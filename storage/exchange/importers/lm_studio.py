"""LM Studio: `~/.lmstudio/conversations/*.conversation.json`, one conversation each.

Messages stand in a list; each has `versions`, of which one is `currentlySelected`. A version is a
`singleStep` with content, or a `multiStep` of blocks: text, thinking (by its style or prefix), tool calls
and their status. Only the whole conversation has a time, in milliseconds.

Source: https://lmstudio.ai/docs/app/basics/chat (where they lie);
https://github.com/YorkieDev/lm-studio-conversation-converter (versions and steps)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    count,
    digest,
    generation,
    identifier,
    items,
    mapping,
    moment,
    number,
    objects,
    role_of,
    text,
)
from storage.exchange.weaving import surviving, woven
from storage.records import Generation, Part

PROGRAM = "lm_studio"
_STOP_REASONS = {
    "eosFound": "stop",
    "stopStringFound": "stop",
    "maxPredictedTokensReached": "length",
    "contextLengthReached": "context_full",
    "userStopped": "cancelled",
    "failed": "error",
}


def recognizes(value: Mapping[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    messages = items(value.get("messages"))
    has_versions = all(isinstance(m, dict) and isinstance(m.get("versions"), list) for m in messages)
    return has_versions and bool(messages or "clientInput" in value) and "createdAt" in value


def convert(value: Mapping[str, Any]) -> Carried:
    """One conversation."""
    lost = Losses()
    nodes: list[CarriedMessage] = []
    parent_key: str | None = None
    model = text(mapping(value.get("lastUsedModel")).get("identifier"))
    for place, message in enumerate(objects(value.get("messages"))):
        versions = [mapping(version) for version in items(message.get("versions"))]
        if not versions:
            continue
        selected = count(message.get("currentlySelected")) or 0
        keys = []
        for version in versions:
            node = _message(place, parent_key, version, model, lost)
            keys.append(node.key)
            nodes.append(node)
        # What follows was said after the version that is shown.
        parent_key = keys[selected if selected < len(keys) else 0]
    messages = woven(nodes, join_answers=False)
    created_at = moment(value.get("createdAt"))
    started = digest(value.get("createdAt"), [text(p.text) for m in messages[:1] for p in m.parts])
    last = (moment(value.get("userLastMessagedAt")), moment(value.get("assistantLastMessagedAt")))
    return Carried(
        origin=f"{PROGRAM}:{started}",
        title=text(value.get("name")),
        messages=messages,
        head_key=surviving(parent_key, nodes, messages),
        created_at=created_at,
        updated_at=max(filter(None, last), default=created_at),
        system_prompt=text(value.get("systemPrompt")),
        more={"is_pinned": True} if value.get("pinned") is True else {},
        lost=lost,
    )


def _message(
    place: int, parent_key: str | None, version: Mapping[str, Any], model: str, lost: Losses
) -> CarriedMessage:
    role = role_of(version.get("role")) or "assistant"
    parts: list[Part] = []
    made: Generation | None = None
    if "steps" in version:
        for step in objects(version.get("steps")):
            parts += _parts_of_step(step, lost)
            made = _generation(step, version, model) or made
    else:
        parts += _content(version.get("content"), lost)
    if role == "assistant" and made is None:
        made = generation(
            text(mapping(version.get("senderInfo")).get("senderName")) or model, engine="LM Studio"
        )
    return CarriedMessage(
        key=digest(place, role, [(part.kind, part.text) for part in parts]),
        parent_key=parent_key,
        role=role,
        parts=tuple(parts),
        generation=made if role == "assistant" else None,
    )


def _parts_of_step(step: Mapping[str, Any], lost: Losses) -> list[Part]:
    kind = step.get("type")
    if kind == "contentBlock":
        style = text(mapping(step.get("style")).get("type"))
        is_thought = style == "thinking" or "<|channel|>analysis" in text(step.get("prefix"))
        parts = _content(step.get("content"), lost)
        return [Part("reasoning", part.text) for part in parts] if is_thought else parts
    if kind in ("requestConfirmToolCall", "toolCallRequestBlock"):
        lost.add("tool_call")
    elif kind in ("toolStatus", "toolCallResultBlock"):
        lost.add("tool_result")
    elif kind != "debugInfoBlock":
        lost.add("other")
    return []


def _content(blocks: Any, lost: Losses) -> list[Part]:
    texts = []
    for block in objects(blocks):
        match block.get("type"):
            case "text":
                texts.append(text(block.get("text")))
            case "file":
                lost.add("image" if block.get("fileType") == "image" else "file")
            case "toolCallRequest":
                lost.add("tool_call")
            case "toolCallResult":
                lost.add("tool_result")
            case _:
                lost.add("other")
    said = "".join(texts)
    if said.strip().startswith("<|channel|>") and said.strip().endswith("<|message|>"):
        return []  # a marker of the model's format that was taken for text
    return [Part("text", said)] if said else []


def _generation(step: Mapping[str, Any], version: Mapping[str, Any], model: str) -> Generation | None:
    info = mapping(step.get("genInfo"))
    if not info:
        return None
    stats = mapping(info.get("stats"))
    seconds = number(stats.get("timeToFirstTokenSec"))
    sender = text(mapping(version.get("senderInfo")).get("senderName"))
    return generation(
        identifier(info.get("identifier")) or sender or model,
        engine="LM Studio",
        prompt_tokens=count(stats.get("promptTokensCount")),
        completion_tokens=count(stats.get("predictedTokensCount")),
        decode_tokens_per_s=number(stats.get("tokensPerSecond")),
        ttft_ms=None if seconds is None else 1000 * seconds,
        stop_reason=_STOP_REASONS.get(text(stats.get("stopReason"))),
    )
