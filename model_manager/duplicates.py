"""Entries whose files hold the same bytes: by size, then by samples, and only then by hash.

Models of one architecture and quantization have the same size to the byte, so most candidates are no
duplicates. Three samples tell nearly all of them apart without reading gigabytes.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from model_manager.copying import counted
from model_manager.digest import sha256_of
from model_manager.entries import verified
from model_manager.errors import ModelNotFound
from model_manager.library import Library
from model_manager.looks import looks_of
from model_manager.types import DuplicateGroup, ModelEntry, ModelRecord

log = logging.getLogger(__name__)

_SAMPLE_BYTES: Final = 64 << 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Copy:
    """Files on the disk, and all entries that stand for them."""

    entries: tuple[ModelEntry, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.entries[0].paths

    @property
    def known_sha256(self) -> tuple[str, ...] | None:
        """As a source or a verification told, if nothing speaks against it."""
        return next(
            (
                entry.sha256
                for entry in self.entries
                if entry.sha256 and entry.state in ("verified", "unverified")
            ),
            None,
        )


def find_duplicates(
    library: Library,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[DuplicateGroup, ...]:
    """The groups of entries with the same bytes, the most wasteful first.

    A hash that a source has told is believed. What is computed is kept with its entry, as by `verify`.

    Args:
        library: The library.
        progress: `progress(done_bytes, total_bytes)` of what has to be read whole.
        cancelled: Asked at least every 4 MiB.

    Raises:
        TransferCancelled: `cancelled()` was true; what was computed before is kept.
    """
    entries = [
        entry for entry in library.list() if entry.paths and not entry.is_starter and not entry.is_missing
    ]
    copies = [_Copy(tuple(group)) for group in _grouped(entries, lambda entry: _ids(entry.paths))]
    candidates: list[Sequence[_Copy]] = []
    for same_size in _grouped(copies, lambda copy: _sizes(copy.paths)):
        if len(same_size) > 1:
            candidates += [group for group in _grouped(same_size, _samples) if len(group) > 1]
    unknown = [copy for group in candidates for copy in group if copy.known_sha256 is None]
    total_bytes = sum(sum(_sizes(copy.paths)) for copy in unknown)
    tell = counted(progress, total_bytes)
    groups = [
        _group(same)
        for group in candidates
        for same in _grouped(
            group, lambda copy: copy.known_sha256 or _digests(library, copy, tell, cancelled)
        )
        if len(same) > 1
    ]
    groups += [_group([copy]) for copy in copies if len(copy.entries) > 1 and not _is_in(copy, groups)]
    return tuple(sorted(groups, key=lambda group: (-group.wasted_bytes, group.names)))


def _group(copies: Sequence[_Copy]) -> DuplicateGroup:
    entries = sorted(
        (entry for copy in copies for entry in copy.entries),
        key=lambda entry: (not entry.is_ours, entry.name),
    )
    sha256 = next((copy.known_sha256 for copy in copies if copy.known_sha256), ())
    size_bytes = sum(_sizes(copies[0].paths))
    names = tuple(entry.name for entry in entries)
    return DuplicateGroup(sha256, size_bytes, names, size_bytes * (len(copies) - 1))


def _is_in(copy: _Copy, groups: Sequence[DuplicateGroup]) -> bool:
    return any(copy.entries[0].name in group.names for group in groups)


def _grouped(items: Iterable[T], key_of: Callable[[T], Hashable]) -> list[list[T]]:
    """By key, in the order of the first of each; an item whose key is None stands alone."""
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        key = key_of(item)
        groups[id(item) if key is None else (key,)].append(item)
    return list(groups.values())


def _ids(paths: Sequence[Path]) -> Hashable:
    try:
        return tuple((facts.st_dev, facts.st_ino) for facts in map(os.stat, paths))
    except OSError:
        return None


def _sizes(paths: Sequence[Path]) -> tuple[int, ...]:
    return tuple(size_bytes for size_bytes, _mtime in looks_of(paths))


def _samples(copy: _Copy) -> Hashable:
    """A hash of the beginning, the middle and the end of each file; None where one cannot be read."""
    digest = hashlib.sha256()
    try:
        for path in copy.paths:
            with path.open("rb") as file:
                size_bytes = file.seek(0, os.SEEK_END)
                for offset in (0, size_bytes // 2, max(0, size_bytes - _SAMPLE_BYTES)):
                    file.seek(offset)
                    digest.update(file.read(_SAMPLE_BYTES))
    except OSError as error:
        log.info("%s is not compared: %s", copy.entries[0].name, error)
        return None
    return digest.hexdigest()


def _digests(
    library: Library, copy: _Copy, tell: Callable[[int], None], cancelled: Callable[[], bool]
) -> Hashable:
    """The files' hashes; kept, where nothing was known yet. None where one cannot be read."""
    looks = looks_of(copy.paths)
    try:
        found = tuple(sha256_of(path, tell, cancelled) for path in copy.paths)
    except OSError as error:
        log.info("%s is not compared: %s", copy.entries[0].name, error)
        return None

    def keep(known: ModelRecord) -> ModelRecord:
        return known if known.sha256 else verified(replace(known, sha256=found), looks, is_good=True)

    for entry in copy.entries:
        try:
            library.records.update(entry.name, keep)
        except ModelNotFound:  # removed meanwhile
            log.info("%s is gone", entry.name)
    return found
