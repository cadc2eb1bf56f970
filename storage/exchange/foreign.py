"""Reads values that others wrote: nothing is taken for what it should be."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from storage.database import storable
from storage.exchange.carried import LostKind
from storage.records import Generation, Part, Role

MAX_FILE_BYTES = 64 << 20
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"BM": "bmp"}
_ROLES: Mapping[str, Role] = {
    "user": "user", "human": "user", "assistant": "assistant", "model": "assistant", "bot": "assistant",
    "gpt": "assistant", "ai": "assistant", "system": "system", "developer": "system",
}  # fmt: skip
_LATEST_S = 32503680000  # the year 3000: seconds are below it, milliseconds above


class Losses(dict[str, int]):
    """Counts what does not come over."""

    def add(self, kind: LostKind, n: int = 1) -> None:
        """Count so many more."""
        if n:
            self[kind] = self.get(kind, 0) + n


def text(value: Any) -> str:
    """A text; empty for anything else."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list; empty for anything else."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list."""
    return (item for item in items(value) if isinstance(item, dict))


def identifier(value: Any) -> str:
    """An id as text; empty where there is none."""
    if isinstance(value, bool):
        return ""
    return storable(str(value)) if isinstance(value, str | int) else ""


def role_of(value: Any) -> Role | None:
    """Who speaks; None for a tool and everything else that is nobody."""
    return _ROLES.get(value.lower()) if isinstance(value, str) else None


def moment(value: Any) -> datetime | None:
    """A moment as ISO 8601 or as seconds or milliseconds since 1970; None where it is neither."""
    if isinstance(value, str):
        return _moment_of_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = float(value)
    for _ in range(3):  # milliseconds, microseconds, nanoseconds
        if abs(seconds) < _LATEST_S:
            break
        seconds /= 1000
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def number(value: Any) -> float | None:
    """A finite number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e18 else None


def count(value: Any) -> int | None:
    """A count."""
    found = number(value)
    return None if found is None else int(found)


def rate(n_tokens: int | None, milliseconds: float | None) -> float | None:
    """Tokens a second."""
    return 1000 * n_tokens / milliseconds if n_tokens and milliseconds else None


def generation(model_name: str, **known: Any) -> Generation:
    """How an answer was made, of which others say little."""
    return Generation(model_name or "?", **known)


def digest(*values: Any) -> str:
    """A short stable name for something that has none of its own."""
    said = json.dumps(values, ensure_ascii=True, sort_keys=True, default=str)
    return hashlib.blake2b(said.encode(), digest_size=12).hexdigest()


def image_format(data: bytes) -> str | None:
    """One of "png", "jpeg", "gif" and "bmp", by the first bytes."""
    return next((name for signature, name in _SIGNATURES.items() if data.startswith(signature)), None)


def image(name: str, data: bytes) -> Part | None:
    """An image that can be kept, else None."""
    kind = image_format(data)
    if kind is None or len(data) > MAX_FILE_BYTES:
        return None
    return Part("image", name=_base_name(name) or f"image.{kind}", data=data)


def attached(name: str, data: bytes) -> Part | None:
    """An image, a text, or any other file; None where it is too large to be kept."""
    if (found := image(name, data)) is not None:
        return found
    if len(data) > MAX_FILE_BYTES:
        return None
    with suppress(UnicodeDecodeError):
        if "\0" not in (words := data.decode()):
            return text_file(name, words)
    return Part("file", name=_base_name(name) or "file", data=data)


def text_file(name: str, words: str) -> Part:
    """A file of which the words are there."""
    return Part("file", words, _base_name(name) or "file")


def tool_call(name: str, arguments: Any, call_id: str = "") -> Part:
    """A call, its arguments as text or as a value of JSON."""
    said = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return Part("tool_call", said, name or "tool", call_id)


def tool_result(content: Any, call_id: str = "", name: str = "") -> Part:
    """What a tool gave: a text, blocks with texts, or any value of JSON."""
    if isinstance(content, str):
        return Part("tool_result", content, name, call_id)
    said = "\n".join(text(block.get("text")) for block in objects(content))
    if not said and content:
        said = json.dumps(content, ensure_ascii=False)
    return Part("tool_result", said, name, call_id)


def openai_calls(value: Any) -> list[Part]:
    """The calls of a message in OpenAI's shape, which may stand there as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    return [
        tool_call(text(function.get("name")), function.get("arguments"), identifier(call.get("id")))
        for call in objects(value)
        for function in (mapping(call.get("function")),)
    ]


def with_content(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Without texts that say nothing; the images first, as models see them."""
    kept = [part for part in parts if part.text or part.kind not in ("text", "reasoning")]
    return tuple(sorted(kept, key=lambda part: part.kind != "image"))


def said_in(parts: Iterable[Part]) -> list[tuple[str, str]]:
    """What names a message that has no id: what was said, and not what came with it."""
    return [(part.kind, part.text) for part in parts if part.kind in ("text", "reasoning")]


def image_of_base64(name: str, encoded: Any) -> Part | None:
    """An image in base64, with or without `data:...;base64,` before it; None for what is none."""
    if not isinstance(encoded, str) or len(encoded) > 2 * MAX_FILE_BYTES:
        return None
    if encoded.startswith("data:"):
        head, _, encoded = encoded.partition(",")
        if not head.endswith(";base64"):
            return None
    try:
        return image(name, base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return None


def _base_name(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")


def _moment_of_text(value: str) -> datetime | None:
    if not value or len(value) > 64:
        return None
    if value.replace(".", "", 1).isdigit():
        return moment(float(value))
    # Go writes nine digits after the point and, in SQLite, a space before the zone.
    parts = value.replace("/", "-").split(" ")
    joined = parts[0] + ("T" + "".join(parts[1:3]) if len(parts) > 1 else "")
    try:
        found = datetime.fromisoformat(joined)
    except ValueError:
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
