"""Our own format: JSON that holds everything, so that its import gives an equal tree.

One conversation is an object, several are an array of them, written one by one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.importers.coterie import VERSION
from storage.exchange.naming import PROGRAM
from storage.records import Part


def write_one(conversation: Carried, file: IO[str]) -> None:
    """One conversation, as an object."""
    json.dump(_object(conversation), file, ensure_ascii=False, indent=1)
    file.write("\n")


def write_all(conversations: Iterable[Carried], file: IO[str]) -> int:
    """Several, as an array with one to a line; returns how many."""
    n_written = 0
    file.write("[")
    for conversation in conversations:
        file.write(",\n" if n_written else "\n")
        json.dump(_object(conversation), file, ensure_ascii=False)
        n_written += 1
    file.write("\n]\n")
    return n_written


def _object(conversation: Carried) -> dict[str, Any]:
    return {
        "format": PROGRAM,
        "version": VERSION,
        "origin": conversation.origin,
        "title": conversation.title,
        "title_is_automatic": conversation.title_is_automatic,
        "created_at": _moment(conversation.created_at),
        "updated_at": _moment(conversation.updated_at),
        "model": conversation.model_name,
        "system_prompt": conversation.system_prompt,
        "sampling": dict(conversation.sampling),
        "folder": list(conversation.folder),
        "tags": list(conversation.tags),
        "more": dict(conversation.more),
        "head": conversation.head_key,
        "messages": [_message(message) for message in conversation.messages],
    }


def _message(message: CarriedMessage) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": message.key,
        "parent": message.parent_key,
        "role": message.role,
        "status": message.status,
        "created_at": _moment(message.created_at),
        "parts": [_part(part) for part in message.parts],
    }
    if message.generation is not None:
        made = asdict(message.generation) | {"parameters": dict(message.generation.parameters)}
        found["generation"] = made | {
            "started_at": _moment(message.started_at),
            "ended_at": _moment(message.ended_at),
        }
    if message.citations:
        found["citations"] = [
            {
                "number": one.number,
                "collection": one.collection,
                "path": str(one.path),
                "title": one.title,
                **asdict(one.passage),
            }
            for one in message.citations
        ]
    if message.traces:
        found["traces"] = [
            {
                "kind": trace.kind,
                "dtype": trace.dtype,
                "shape": list(trace.shape),
                "data": _base64(trace.data),
            }
            for trace in message.traces
        ]
    if message.more:
        found["more"] = dict(message.more)
    return found


def _part(part: Part) -> dict[str, Any]:
    found = {"kind": part.kind, "text": part.text}
    for name in ("name", "call_id"):
        if getattr(part, name):
            found[name] = getattr(part, name)
    if part.data is not None:
        found["data"] = _base64(part.data)
    return found


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
