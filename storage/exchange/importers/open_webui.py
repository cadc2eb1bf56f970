"""Open WebUI: the file of "Export chats", an array.

The tree is `chat.history.messages`; a chat without it has the shown path in `chat.messages`. Until 0.10
the reasoning stood in the answer as a quotation in `<details type="reasoning">`; since then a message may
have its pieces in `output`, in the shape of OpenAI's responses.

Source: https://github.com/open-webui/open-webui (backend/open_webui/models/chats.py,
backend/open_webui/utils/middleware.py); reasoning apart: issue #26461;
https://platform.openai.com/docs/api-reference/responses/object (`output`)
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.foreign import (
    Losses,
    count,
    generation,
    identifier,
    image_of_base64,
    items,
    mapping,
    moment,
    number,
    objects,
    role_of,
    text,
    text_file,
    tool_call,
    tool_result,
    with_content,
)
from storage.exchange.weaving import path_of, surviving, woven
from storage.records import Generation, Part

PROGRAM = "open_webui"
_OPENING = re.compile(r'<details\b[^>]{0,400}?\btype="(reasoning|tool_calls|code_interpreter)"')
_CLOSING = "</details>"
_ATTRIBUTE = re.compile(r'\b([a-z_]+)="([^"]*)"')
_DURATION = re.compile(r'\bduration="([\d.]+)"')
_SUMMARY = re.compile(r"\A\s*<summary>.*?</summary>\s*", re.DOTALL)
_QUOTED = re.compile(r"^(?:>|&gt;) ?", re.MULTILINE)


def recognizes(value: Mapping[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    chat = mapping(value.get("chat"))
    return bool(chat) and (isinstance(chat.get("history"), dict) or isinstance(chat.get("messages"), list))


def convert(value: Mapping[str, Any]) -> Carried:
    """One conversation."""
    lost = Losses()
    chat = mapping(value.get("chat"))
    history = mapping(chat.get("history"))
    stored = mapping(history.get("messages"))
    nodes = [_message(str(key), mapping(message), lost) for key, message in stored.items()]
    if not nodes:
        listed = enumerate(objects(chat.get("messages")))
        nodes = list(path_of([_message(str(place), message, lost) for place, message in listed]))
    messages = woven(nodes, join_answers=False)
    meta = mapping(value.get("meta"))
    tags = [
        identifier(tag) or text(mapping(tag).get("name"))
        for tag in items(meta.get("tags") or chat.get("tags"))
    ]
    marks = {"is_pinned": value.get("pinned"), "is_archived": value.get("archived")}
    return Carried(
        origin=f"{PROGRAM}:{identifier(value.get('id')) or identifier(chat.get('id'))}",
        title=text(value.get("title")) or text(chat.get("title")),
        messages=messages,
        head_key=surviving(identifier(history.get("currentId")) or None, nodes, messages),
        created_at=moment(value.get("created_at")) or moment(chat.get("timestamp")),
        updated_at=moment(value.get("updated_at")),
        system_prompt=text(chat.get("system")) or text(mapping(chat.get("params")).get("system")),
        tags=tuple(tag for tag in tags if tag),
        more={name: True for name, mark in marks.items() if mark is True},
        lost=lost,
    )


def _message(key: str, message: Mapping[str, Any], lost: Losses) -> CarriedMessage:
    role = role_of(message.get("role"))
    said, beside = _content(message, lost)
    parts, reasoning_ms = _parts(said) if role == "assistant" else ((Part("text", said),), None)
    thought = text(message.get("reasoning_content")) or text(message.get("reasoning"))
    answered, thought_apart, calls = _of_output(message.get("output"))
    if not any(part.kind == "tool_call" for part in parts):
        parts = (*calls, *parts)
    if not any(part.kind == "reasoning" for part in parts) and (thought := thought or thought_apart):
        parts = (Part("reasoning", thought), *parts)
    if answered and not said.strip():
        parts = (*parts, Part("text", answered))
    parts = (*beside, *parts)
    if message.get("role") == "tool":
        parts = (tool_result(said, identifier(message.get("tool_call_id"))),)
    has_failed = bool(message.get("error"))
    return CarriedMessage(
        key=identifier(message.get("id")) or key,
        parent_key=identifier(message.get("parentId")) or None,
        role=role or "assistant",
        parts=with_content(parts) if role or message.get("role") == "tool" else (),
        created_at=moment(message.get("timestamp")),
        status="failed" if has_failed else "interrupted" if message.get("done") is False else "complete",
        generation=_generation(message, reasoning_ms) if role == "assistant" else None,
    )


def _of_output(output: Any) -> tuple[str, str, list[Part]]:
    """Answer, reasoning and use of tools of a list of response items."""
    said: dict[str, list[str]] = {"message": [], "reasoning": []}
    calls = []
    for item in objects(output):
        kind = item.get("type")
        if kind in said:
            pieces = items(item.get("content")) or items(item.get("summary"))
            said[kind] += [text(piece.get("text")) for piece in objects(pieces)]
        elif kind == "function_call":
            name, call_id = text(item.get("name")), identifier(item.get("call_id"))
            calls.append(tool_call(name, item.get("arguments"), call_id))
        elif kind == "function_call_output":
            calls.append(tool_result(item.get("output"), identifier(item.get("call_id"))))
    return "".join(said["message"]), "\n\n".join(filter(None, said["reasoning"])), calls


def _content(message: Mapping[str, Any], lost: Losses) -> tuple[str, list[Part]]:
    """What was said, and the images and files that came with it."""
    content = message.get("content")
    said = text(content) or "\n\n".join(text(piece.get("text")) for piece in objects(content))
    beside: list[Part] = []
    for file in objects(message.get("files")):
        words = text(mapping(mapping(file.get("file")).get("data")).get("content"))
        found = (
            image_of_base64(text(file.get("name")), file.get("url")) if file.get("type") == "image" else None
        )
        if found is not None:
            beside.append(found)
        elif words:
            beside.append(text_file(text(file.get("name")), words))
        else:
            lost.add("image" if file.get("type") == "image" else "file")
    lost.add("citation", len(items(message.get("sources")) or items(message.get("citations"))))
    return said, beside


def _parts(said: str) -> tuple[tuple[Part, ...], float | None]:
    """The answer with its foldable blocks apart, and how long it thought, in milliseconds."""
    parts = []
    end = 0
    reasoning_ms = None
    for opening in _OPENING.finditer(said):
        if opening.start() < end:
            continue
        begins = said.find(">", opening.end())
        closing = said.find(_CLOSING, begins)
        if begins < 0 or closing < 0:
            break
        tag = said[opening.start() : begins]
        parts.append(Part("text", said[end : opening.start()].strip("\n")))
        inside = said[begins + 1 : closing]
        end = closing + len(_CLOSING)
        if opening[1] != "reasoning":
            parts += _folded_call(tag, opening[1], inside)
            continue
        quoted = _SUMMARY.sub("", inside, count=1)
        parts.append(Part("reasoning", html.unescape(_QUOTED.sub("", quoted)).strip()))
        if duration := _DURATION.search(tag):
            reasoning_ms = (reasoning_ms or 0.0) + 1000 * (number(_float(duration[1])) or 0.0)
    parts.append(Part("text", said[end:].lstrip("\n") if end else said))
    spoken = (part for part in parts if part.text.strip() or part.kind not in ("text", "reasoning"))
    return tuple(spoken), reasoning_ms


def _folded_call(opening: str, kind: str, inside: str) -> list[Part]:
    """A use of a tool: its attributes say which, with what and what came of it."""
    found = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(opening)}
    call_id = found.get("id", "")
    if kind == "code_interpreter":
        called = tool_call("code_interpreter", _SUMMARY.sub("", inside, count=1).strip(), call_id)
        result = found.get("output", "")
    else:
        called = tool_call(found.get("name", ""), _json_text(found.get("arguments", "")), call_id)
        result = _json_text(found.get("result", ""))
    return [called, tool_result(result, call_id)] if result else [called]


def _json_text(value: str) -> str:
    """A text that was written as JSON once more than needed, without that."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, str) else value


def _generation(message: Mapping[str, Any], reasoning_ms: float | None) -> Generation:
    usage = mapping(message.get("usage") or message.get("info"))
    return generation(
        text(message.get("model")) or text(message.get("modelName")),
        engine="Open WebUI",
        prompt_tokens=count(usage.get("prompt_tokens")) or count(usage.get("prompt_eval_count")),
        completion_tokens=count(usage.get("completion_tokens")) or count(usage.get("eval_count")),
        reasoning_ms=reasoning_ms,
        error=text(mapping(message.get("error")).get("content")) or None,
    )


def _float(digits: str) -> float | None:
    try:
        return float(digits)
    except ValueError:
        return None
