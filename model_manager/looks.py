"""What a file looks like from outside: while size and modification time stay, so do, we assume, its bytes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISREG

from model_manager.types import ModelState

Look = tuple[int, int]
"""Size in bytes, modification time in nanoseconds."""


def look_at(path: Path | str) -> Look | None:
    """How a file looks, links followed; None where there is no file."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    return (facts.st_size, facts.st_mtime_ns) if S_ISREG(facts.st_mode) else None


def looks_of(paths: Sequence[Path | str]) -> tuple[Look, ...]:
    """How all of some files look; empty where one is not there."""
    looks = tuple(look for path in paths if (look := look_at(path)) is not None)
    return looks if len(looks) == len(paths) else ()


def state_of_missing(missing: Sequence[Path | str], n_files: int) -> ModelState:
    """How a model is missing.

    Args:
        missing: Its files that are not there; at least one.
        n_files: That it has.
    """
    if any(os.path.islink(path) for path in missing):
        return "broken_link"
    return "missing_shard" if len(missing) < n_files else "missing"
