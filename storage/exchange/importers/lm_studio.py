"""LM Studio: `~/.lmstudio/conversations/*.conversation.json`, one conversation each.

Messages stand in a list; each has `versions`, of which one is `currentlySelected`. A version is a
`singleStep` with content, or a `multiStep` of blocks: text, thinking (by its style or prefix), tool calls
and their status. Only the whole conversation has a time, in milliseconds.

Source: https://lmstudio.ai/docs/app/basics/chat (where they lie);
https://github.com/YorkieDev/lm-studio-conversation-converter (versions and steps)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
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
    said_in,
    text,
    tool_call,
    tool_result,
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
    started = digest(value.get("createdAt"), [said for m in messages[:1] for _, said in said_in(m.parts)])
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
            asked = mapping(step.get("request")) if step.get("type") == "requestConfirmToolCall" else {}
            if asked and _call_id(asked) not in {part.call_id for part in parts}:
                parts.append(_call(asked))
            made = _generation(step, version, model) or made
    else:
        parts += _content(version.get("content"), lost)
    if role == "assistant" and made is None:
        made = generation(
            text(mapping(version.get("senderInfo")).get("senderName")) or model, engine="LM Studio"
        )
    return CarriedMessage(
        key=digest(place, role, said_in(parts)),
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
        return [replace(p, kind="reasoning") if p.kind == "text" and is_thought else p for p in parts]
    if kind == "toolCallRequestBlock":
        return [_call(step)]
    if kind == "toolCallResultBlock":
        return [_result(step)]
    # How far a tool was is said by its result; what was asked of the person is looked at above.
    if kind not in ("requestConfirmToolCall", "toolStatus", "debugInfoBlock"):
        lost.add("other")
    return []


def _content(blocks: Any, lost: Losses) -> list[Part]:
    texts = []
    beside: list[Part] = []
    for block in objects(blocks):
        match block.get("type"):
            case "text":
                texts.append(text(block.get("text")))
            case "file":
                lost.add("image" if block.get("fileType") == "image" else "file")
            case "toolCallRequest":
                beside.append(_call(block))
            case "toolCallResult":
                beside.append(_result(block))
            case _:
                lost.add("other")
    said = "".join(texts)
    if said.strip().startswith("<|channel|>") and said.strip().endswith("<|message|>"):
        return beside  # a marker of the model's format that was taken for text
    return [Part("text", said), *beside] if said else beside


def _call(block: Mapping[str, Any]) -> Part:
    arguments = block.get("parameters", block.get("arguments"))
    return tool_call(text(block.get("name")), arguments, _call_id(block))


def _result(block: Mapping[str, Any]) -> Part:
    return tool_result(_blocks(block.get("content", block.get("result"))), _call_id(block))


def _call_id(block: Mapping[str, Any]) -> str:
    names = ("toolCallRequestId", "toolCallId", "callId", "id")
    return next(filter(None, (identifier(block.get(name)) for name in names)), "")


def _blocks(content: Any) -> Any:
    """Results of tools are often blocks, written as text."""
    if isinstance(content, str) and content.startswith("["):
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            return content
        if all("text" in block for block in objects(found)):
            return found
    return content


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
