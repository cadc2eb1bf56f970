"""Walking through folders that somebody else fills: links may lead out, in circles or nowhere."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from model_manager.importers.found import Findings, Found, LeftOut
from model_manager.shards import parse_shard_name
from model_manager.types import SkipReason

MAX_FOLDERS: Final = 50_000
"""More than any store has; somebody's whole disk has more."""
_MAX_DEPTH: Final = 24
_UNFINISHED: Final = ("incomplete-", "downloading_")
"""How GPT4All and LM Studio begin the names of files that are still being fetched."""


def confined(path: Path, root: Path) -> SkipReason | None:
    """Why a file may not be taken from a store; None where it may.

    Args:
        path: The file.
        root: The store's folder; the file must lie in it, links followed.
    """
    try:
        real = os.path.realpath(path, strict=True)
        facts = os.stat(real)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "cycle"
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return "broken_link" if os.path.islink(path) else "missing_file"
        return "unreadable"
    if not Path(real).is_relative_to(os.path.realpath(root)):
        return "outside"
    # A pipe or a device with such a name would hang, or worse, whoever opens it.
    return None if stat.S_ISREG(facts.st_mode) else "not_a_file"


def gguf_files(folder: Path, source: Callable[[Path], str], root: Path | None = None) -> Findings:
    """All GGUF files below a folder, of a split model one; sorted, so that two looks tell the same.

    Links to folders are followed while they stay inside, each folder once.

    Args:
        folder: The folder.
        source: Where a file came from, in words of its store.
        root: What links must not lead out of; None for the folder itself.
    """
    root = root or folder
    seen: set[tuple[str, str, int]] = set()
    for path in _walk(folder, root):
        if isinstance(path, LeftOut):
            yield path
            continue
        if path.name.lower().startswith(_UNFINISHED):
            yield LeftOut(path, path.stem, "unfinished")
            continue
        reason = confined(path, root)
        if reason is not None:
            yield LeftOut(path, path.stem, reason)
            continue
        shard = parse_shard_name(path.name)
        if shard is not None:
            key = (str(path.parent), shard.stem, shard.count)
            if key in seen:
                continue
            seen.add(key)
        yield Found(path, "", source(path), root)


def _walk(top: Path, root: Path) -> Iterator[Path | LeftOut]:
    real_root = os.path.realpath(root)
    visited: set[tuple[int, int]] = set()
    folders: list[tuple[Path, int]] = [(top, 0)]
    while folders:
        folder, depth = folders.pop()
        try:
            facts = os.stat(folder)
            key = (facts.st_dev, facts.st_ino)
            if key in visited:  # a link to a folder above it, or a second way to one
                continue
            visited.add(key)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield LeftOut(folder, folder.name, "unreadable", error.strerror or "")
            continue
        if len(visited) > MAX_FOLDERS:
            yield LeftOut(top, top.name, "too_many", f"more than {MAX_FOLDERS} folders")
            return
        below = []
        for entry in entries:
            path = folder / entry.name
            if _is_folder(entry):
                if entry.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real_root):
                    yield LeftOut(path, entry.name, "outside")
                elif depth < _MAX_DEPTH:
                    below.append((path, depth + 1))
            elif entry.name.lower().endswith(".gguf"):
                yield path
        folders.extend(reversed(below))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle; as a file it gets its reason
        return False
