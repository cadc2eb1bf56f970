"""Remembered verifications: a file that was hashed once is not hashed again while it looks the same.

Beside `model.gguf` lies `model.gguf.stamp.json`: {"sha256", "size_bytes", "mtime_ns", "recipe"}. While size
and modification time agree with it the file is trusted; when they differ, it is hashed anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from model_manager.digest import sha256_of


def read(path: Path) -> dict[str, Any]:
    """The stamp of a file; empty where there is none or it is damaged."""
    try:
        stamp = json.loads(_stamp_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write(path: Path, sha256: str, recipe: int) -> None:
    """Remembers that the file as it is now has this hash.

    Args:
        path: The file.
        sha256: Of its bytes; the caller has computed or checked it.
        recipe: Number of the way it was made; a file made in another way is not intact.

    Raises:
        OSError: The folder cannot be written.
    """
    stamp = {"sha256": sha256, "recipe": recipe, **_look(path)}
    # Named after thread and process: several may verify the same file at once.
    part = _stamp_path(path).with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
    part.write_text(json.dumps(stamp), encoding="utf-8")
    part.replace(_stamp_path(path))


def discard(path: Path) -> None:
    """Ends the trust in a file: the next look at it reads it whole, or makes it anew."""
    with contextlib.suppress(OSError):
        _stamp_path(path).unlink(missing_ok=True)


def is_intact(path: Path, recipe: int, expected_sha256: str | None = None) -> bool:
    """Whether the file has the expected bytes. Reads the whole file if its look disagrees with the stamp.

    Args:
        path: The file; it may be missing.
        recipe: What `write` was told.
        expected_sha256: None takes the stamp's word, so that without a stamp no file is intact.
    """
    stamp = read(path)
    sha256 = expected_sha256 or stamp.get("sha256")
    if not sha256 or (expected_sha256 is None and stamp.get("recipe") != recipe):
        return False
    try:
        if stamp.get("sha256") == sha256 and stamp.items() >= _look(path).items():
            return True
        if sha256_of(path) != sha256:
            return False
    except OSError:
        return False
    with contextlib.suppress(OSError):  # A read-only cache costs a hash at every start, nothing else.
        write(path, sha256, recipe)
    return True


def looks_intact(path: Path) -> bool:
    """Whether the file looks as it did when it was found right; never reads it."""
    stamp = read(path)
    try:
        return bool(stamp) and stamp.items() >= _look(path).items()
    except OSError:
        return False


def _look(path: Path) -> dict[str, int]:
    facts = path.stat()
    return {"size_bytes": facts.st_size, "mtime_ns": facts.st_mtime_ns}


def _stamp_path(path: Path) -> Path:
    return path.with_name(path.name + ".stamp.json")
