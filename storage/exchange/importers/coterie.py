"""Our own format: everything of a conversation, and the conversation again from it.

`docs/exchange.md` describes it. Versions only add; what is missing takes its default, what is wrong is
left out.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from storage.exchange.carried import Carried, CarriedMessage, CarriedTrace
from storage.exchange.foreign import Losses, count, identifier, items, mapping, moment, objects, text
from storage.exchange.naming import PROGRAM, named_by_content
from storage.exchange.weaving import woven
from storage.knowledge.records import Citation, Passage
from storage.records import Generation, MessageStatus, Part, PartKind, Role

VERSION = 1
_GENERATION_FIELDS = {field.name: str(field.type) for field in fields(Generation)}


def recognizes(value: Mapping[str, Any]) -> bool:
    """Whether this is a conversation of ours."""
    return value.get("format") == PROGRAM and isinstance(value.get("messages"), list)


def convert(value: Mapping[str, Any]) -> Carried:
    """One conversation.

    Raises:
        ValueError: A newer program wrote it.
    """
    if not isinstance(value.get("version"), int) or value["version"] > VERSION:
        raise ValueError(f"format {value.get('version')}; up to {VERSION} are known")
    lost = Losses()
    nodes = [_message(place, message, lost) for place, message in enumerate(objects(value["messages"]))]
    lost.add("message", len(items(value["messages"])) - len(nodes))
    carried = Carried(
        origin="",
        title=text(value.get("title")),
        messages=woven(nodes, join_answers=False, keep_empty=True),
        head_key=identifier(value.get("head")) or None,
        created_at=moment(value.get("created_at")),
        updated_at=moment(value.get("updated_at")),
        model_name=identifier(value.get("model")) or None,
        system_prompt=text(value.get("system_prompt")),
        sampling=_plain(mapping(value.get("sampling"))),
        title_is_automatic=value.get("title_is_automatic") is True,
        folder=tuple(name for name in items(value.get("folder")) if isinstance(name, str) and name),
        tags=tuple(tag for tag in items(value.get("tags")) if isinstance(tag, str) and tag),
        more=mapping(value.get("more")),
        lost=lost,
    )
    return named_by_content(carried)


def _message(place: int, message: Mapping[str, Any], lost: Losses) -> CarriedMessage:
    role: Any = message.get("role")
    status: Any = message.get("status", "complete")
    return CarriedMessage(
        key=identifier(message.get("key")) or f"message {place}",
        parent_key=identifier(message.get("parent")) or None,
        role=role if role in get_args(Role) else "user",
        parts=(*_images(message, lost), *_parts(message, lost)),
        created_at=moment(message.get("created_at")),
        status=status if status in get_args(MessageStatus) and status != "streaming" else "interrupted",
        generation=_generation(message.get("generation")),
        started_at=moment(mapping(message.get("generation")).get("started_at")),
        ended_at=moment(mapping(message.get("generation")).get("ended_at")),
        traces=tuple(_traces(message, role, lost)),
        citations=tuple(_citations(message, lost).values()),
        more=mapping(message.get("more")),
    )


def _parts(message: Mapping[str, Any], lost: Losses) -> list[Part]:
    parts = []
    for part in objects(message.get("parts")):
        kind: Any = part.get("kind")
        if kind not in get_args(PartKind):
            lost.add("other")
            continue
        data = _bytes(part.get("data")) if kind in ("image", "file") else None
        if kind == "image" and data is None:
            lost.add("image")
            continue
        said, name, call_id = (text(part.get(field)) for field in ("text", "name", "call_id"))
        parts.append(Part(kind, said, name, call_id, data))
    return parts


def _generation(value: Any) -> Generation | None:
    found = mapping(value)
    if not isinstance(found.get("model_name"), str):
        return None
    known = {name: found[name] for name, kind in _GENERATION_FIELDS.items() if name in found}
    fitting = {name: value for name, value in known.items() if _fits(value, _GENERATION_FIELDS[name])}
    plain = {name: _plain(value) for name, value in fitting.items() if isinstance(value, dict)}
    return Generation(**fitting | plain)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what JSON cannot hold: a number such as 1e999 is read as infinite."""
    found = {}
    for name, value in values.items():
        try:
            json.dumps(value, allow_nan=False)
        except ValueError:
            continue
        found[name] = value
    return found


def _fits(value: Any, kind: str) -> bool:
    """Whether a value of JSON is of a field's type."""
    if value is None:
        return "None" in kind
    if isinstance(value, bool):
        return False
    if kind.startswith("float"):
        return isinstance(value, int | float) and math.isfinite(value)
    if kind.startswith("int"):
        return isinstance(value, int) and abs(value) < 1 << 63
    return isinstance(value, str if kind.startswith("str") else dict)


def _images(message: Mapping[str, Any], lost: Losses) -> list[Part]:
    """Those of files from before images were parts."""
    images = []
    for image in objects(message.get("images")):
        data = _bytes(image.get("data"))
        if data is None:
            lost.add("image")
        else:
            images.append(Part("image", name=text(image.get("name")), data=data))
    return images


def _citations(message: Mapping[str, Any], lost: Losses) -> dict[int, Citation]:
    """By number; one that has none, or that of another, is lost."""
    citations: dict[int, Citation] = {}
    for one in objects(message.get("citations")):
        n = _place(one.get("number"))
        if not n or n in citations:
            lost.add("citation")
            continue
        passage = Passage(
            text(one.get("text")),
            tuple(heading for heading in items(one.get("headings")) if isinstance(heading, str)),
            *(_place(one.get(name)) for name in ("page", "line", "line_end")),
        )
        path = Path(text(one.get("path")))
        citations[n] = Citation(n, text(one.get("collection")), path, text(one.get("title")), passage)
    return citations


def _place(value: Any) -> int | None:
    """A number that the database can hold."""
    found = count(value)
    return found if found is not None and 0 <= found < 1 << 62 else None


def _traces(message: Mapping[str, Any], role: Any, lost: Losses) -> list[CarriedTrace]:
    traces = []
    for trace in objects(message.get("traces")):
        data = _bytes(trace.get("data"))
        shape = items(trace.get("shape"))
        if data is None or role != "assistant" or not all(isinstance(n, int) and n >= 0 for n in shape):
            lost.add("trace")
        else:
            traces.append(CarriedTrace(text(trace.get("kind")), text(trace.get("dtype")), tuple(shape), data))
    return traces


def _bytes(encoded: Any) -> bytes | None:
    if not isinstance(encoded, str):
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
