"""What hubs tell, in JSON: of the type that is expected, or nothing. No type in it is taken on trust."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from model_manager.types import HubFile

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def count(value: Any) -> int:
    """How many; 0 for what is no number."""
    is_count = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return max(0, int(value)) if is_count else 0


def text(value: Any) -> str:
    """Words; "" for what is none, or could be written nowhere (halves of characters)."""
    is_text = isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return str(value) if is_text else ""


def file(path: Any, size_bytes: Any, sha256: Any) -> HubFile | None:
    """A file of a repository; None where its name is none. What is no size or hash is left out."""
    name, digest = text(path), text(sha256).lower()
    return HubFile(name, count(size_bytes), digest if _SHA256.fullmatch(digest) else None) if name else None
