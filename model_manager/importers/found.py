"""What a look through a store finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model_manager.types import SkipReason


@dataclass(frozen=True, slots=True)
class Found:
    """A file (of a split model, any shard) that should be a model. Nobody has opened it.

    Attributes:
        path: As the store names it, links not followed.
        name: What the store calls the model; empty takes the file's name.
        source: Where it came from, `store:name there`.
        sha256: Of this one file, as the store says; None where it does not.
        size_bytes: As the store says; None where it does not.
        root: The folder that the file and its shards must not lead out of.
        mmproj: Its vision tower, where the store says which file that is; None for one that lies beside it
            under a name of its own, or for none.
    """

    path: Path
    name: str
    source: str
    root: Path
    sha256: str | None = None
    size_bytes: int | None = None
    mmproj: Path | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is no candidate.

    Attributes:
        name: What the store calls it, or the file's name.
        detail: A technical detail, in English; may be empty.
    """

    path: Path
    name: str
    reason: SkipReason
    detail: str = ""


Variables = Callable[[str], str | None]
"""Looks up a variable of somebody's environment; None where it is not set."""
Finding = Found | LeftOut
Findings = Iterator[Finding]
