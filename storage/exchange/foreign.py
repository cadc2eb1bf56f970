"""Reads values that others wrote: nothing is taken for what it should be."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from storage.database import storable
from storage.exchange.carried import LostKind
from storage.records import Generation, Image, Role

MAX_IMAGE_BYTES = 64 << 20
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


def image(name: str, data: bytes) -> Image | None:
    """An image that can be kept, else None."""
    kind = image_format(data)
    if kind is None or len(data) > MAX_IMAGE_BYTES:
        return None
    name = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    return Image(name or f"image.{kind}", data)


def image_of_base64(name: str, encoded: Any) -> Image | None:
    """An image in base64, with or without `data:...;base64,` before it; None for what is none."""
    if not isinstance(encoded, str) or len(encoded) > 2 * MAX_IMAGE_BYTES:
        return None
    if encoded.startswith("data:"):
        head, _, encoded = encoded.partition(",")
        if not head.endswith(";base64"):
            return None
    try:
        return image(name, base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return None


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
