"""What is written into an entry's record while its files are moved, so that a killed move can be finished.

    {"folder": where to, "files": [[source, target], ...], "is_switched": false}

Until `is_switched`, the entry stands for the sources, and the targets and their `.part` files are ours to
throw away. From then on it stands for the targets, and the sources are what is left to delete.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Move:
    """A move that has begun.

    Attributes:
        folder: The folder that a person has named.
        files: Source and target of each file; the first ones are the entry's own, in its order, then come
            files that belong with them (a vision tower).
        is_switched: The entry stands for the targets.
    """

    folder: Path
    files: tuple[tuple[Path, Path], ...]
    is_switched: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it stands in the record."""
        files = [[str(source), str(target)] for source, target in self.files]
        return {"folder": str(self.folder), "files": files, "is_switched": self.is_switched}


def move_of(value: Mapping[str, Any] | None) -> Move | None:
    """The move that a record tells of; None where there is none, or another program has written it."""
    if value is None:
        return None
    try:
        files = tuple((Path(source), Path(target)) for source, target in value["files"])
        return Move(Path(value["folder"]), files, bool(value["is_switched"]))
    except (KeyError, TypeError, ValueError):
        return None


def destination(value: Mapping[str, Any] | None) -> Path | None:
    """Where a move that was cut off was going to."""
    move = move_of(value)
    return None if move is None or move.is_switched else move.folder


def part_of(target: Path) -> Path:
    """What a file is called until all of it is there."""
    return target.with_name(target.name + ".part")


def discard_targets(move: Move) -> None:
    """Throws away what a move that did not come to its switch has made."""
    for source, target in move.files:
        for path in (part_of(target), target):
            with contextlib.suppress(OSError):
                if path == source or (path.exists() and not source.exists()):
                    continue  # the only copy is never thrown away
                path.unlink(missing_ok=True)
        remove_empty_folders(target.parent, move.folder)


def remove_empty_folders(folder: Path, top: Path) -> None:
    """Removes a folder and those above it while they are empty; `top` itself stays."""
    top = top.resolve()
    while folder.resolve() != top and folder.resolve().is_relative_to(top):
        try:
            folder.rmdir()
        except OSError:
            return  # Not empty, mostly.
        folder = folder.parent
