"""Taking over models from other programs' stores: where they are, without a copy, again without a change."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from model_manager.deleting import is_inside
from model_manager.entries import entry_of, read_files, record_of
from model_manager.errors import (
    DamagedGguf,
    MissingShard,
    ModelFileError,
    ModelNotFound,
    NotGguf,
    StoreNotFound,
    TransferCancelled,
    TruncatedGguf,
    UnsupportedGguf,
)
from model_manager.importers.found import Finding, Found, LeftOut, Variables
from model_manager.importers.stores import FOLDER, STORES, present_folders
from model_manager.importers.walking import confined
from model_manager.library import Library
from model_manager.looks import looks_of
from model_manager.shards import GgufModel, model_stem, shard_filenames
from model_manager.types import ImportItem, ImportReport, ModelRecord, SkipReason
from model_manager.vision_files import is_vision_file

log = logging.getLogger(__name__)

CountProgress = Callable[[int, int], None]
"""`progress(done, total)` in files, on the thread that called."""

OURS: Final = "ours"
"""The models folder: files that lie in it and are no entries."""
_OTHER_TYPES: Final = ("adapter", "imatrix", "mmproj", "vocab")
"""What `general.type` says of GGUF files that are no models of their own."""

_REASONS: Final[Sequence[tuple[type[ModelFileError], SkipReason]]] = (
    (MissingShard, "missing_shard"),
    (NotGguf, "not_gguf"),
    (TruncatedGguf, "truncated"),
    (DamagedGguf, "damaged"),
    (UnsupportedGguf, "unsupported"),
    (ModelFileError, "unreadable"),
)

FileId = tuple[int, int]
"""Device and number on it: the same for all links to a file."""


def import_from(
    library: Library,
    where: str,
    *,
    dry_run: bool = False,
    variables: Variables = os.environ.get,
    progress: CountProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ImportReport:
    """Adds the models of a store to the library, where they lie.

    Args:
        library: The library.
        where: Key of a store (`importers.stores.STORES`), `OURS`, or the full path of a folder.
        dry_run: Change nothing, and tell what would become of each file.
        variables: The environment that says where stores are: that of who asks.
        progress: Told after each file.
        cancelled: Asked before each file.

    Returns:
        The report. Models that are there already are told as such: a second import changes nothing.

    Raises:
        StoreNotFound: There is no such store, or nothing of it on this machine.
        TransferCancelled: `cancelled()` was true; nothing was added.
    """
    store = STORES.get(where, FOLDER)
    where_is = str(library.models_dir) if where == OURS else where
    folders = present_folders(store, variables) if where in STORES else _folder(where_is)
    if not folders:
        raise StoreNotFound(where_is, (*STORES, OURS))
    findings = [finding for folder in folders for finding in store.scan(folder)]
    an_import = _Import(library)
    items = []
    for number, finding in enumerate(findings):
        if cancelled():
            raise TransferCancelled
        items.append(an_import.look_at(finding))
        if progress is not None:
            progress(number + 1, len(findings))
    if not dry_run:
        items = an_import.keep(items)
    key = where if where in STORES or where == OURS else "folder"
    return ImportReport(key, folders, tuple(items), dry_run)


def _folder(where: str) -> tuple[Path, ...]:
    path = Path(where).expanduser()
    return (path,) if path.is_absolute() and os.path.isdir(path) else ()


class _Import:
    """One import: what the library has, and what it shall get."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._known: dict[FileId, str] = {}
        self._gone: list[ModelRecord] = []
        for record in library.records.list():
            file_id = _file_id(record.paths[0])
            if file_id is None:
                self._gone.append(record)
            else:
                self._known[file_id] = record.name
        self._new: list[tuple[int, ModelRecord]] = []
        self._found_again: list[ModelRecord] = []
        self._n_items = 0

    def look_at(self, finding: Finding) -> ImportItem:
        """What becomes of one finding."""
        number, self._n_items = self._n_items, self._n_items + 1
        if isinstance(finding, LeftOut):
            return ImportItem(
                "skipped",
                _clean(finding.name),
                _shown(finding.path),
                reason=finding.reason,
                detail=finding.detail,
            )
        name = _clean(finding.name or model_stem(finding.path.name))
        if not _is_text(finding.path):
            return ImportItem(
                "skipped", name, _shown(finding.path), reason="unreadable", detail="a name that is not UTF-8"
            )
        file_id = _file_id(finding.path)
        if file_id is not None and file_id in self._known:
            looks = looks_of([finding.path])
            size_bytes = looks[0][0] if looks else 0
            return ImportItem("known", self._known[file_id], finding.path, size_bytes, finding.source)
        left_out = _outside_shard(finding, name)
        if left_out is not None:
            return left_out
        model = _read(finding, name)
        if isinstance(model, ImportItem):
            return model
        sha256 = (finding.sha256,) if finding.sha256 is not None and len(model.paths) == 1 else None
        record = replace(
            record_of(name, model, sha256, is_ours=is_inside(model.paths[0], self._library.models_dir)),
            source=finding.source,
        )
        if finding.mmproj is not None:
            record = replace(record, info={**record.info, "mmproj": str(finding.mmproj)})
        if file_id is not None:
            self._known[file_id] = name
        gone = next((gone for gone in self._gone if _is_same_model(gone, record)), None)
        if gone is not None:
            self._gone.remove(gone)
            self._found_again.append(replace(record, name=gone.name))
            return ImportItem("found_again", gone.name, model.paths[0], model.size_bytes, finding.source)
        self._new.append((number, record))
        return ImportItem("added", name, model.paths[0], model.size_bytes, finding.source)

    def keep(self, items: Sequence[ImportItem]) -> list[ImportItem]:
        """Writes down what is new; the items with the names that it got."""
        records = self._library.records
        kept = records.put_all_numbered([record for _number, record in self._new])
        told = list(items)
        for (number, _record), record in zip(self._new, kept, strict=True):
            told[number] = replace(told[number], name=record.name)
        for again in self._found_again:
            records.update(again.name, partial(_moved_to, again))
        log.info("took over %d models, found %d again", len(kept), len(self._found_again))
        return told


def _clean(name: str) -> str:
    """A name as a list can show it: no line breaks, control or direction characters, lone surrogates."""
    kept = (letter if unicodedata.category(letter) not in ("Cc", "Cf", "Cs") else " " for letter in name)
    return " ".join("".join(kept).split()) or "?"


def _is_text(path: Path) -> bool:
    """Whether the database can keep it: it holds text, and a name on Linux may be any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(path: Path) -> Path:
    """The path as it can be printed."""
    return Path(str(path).encode("utf-8", "replace").decode())


def _outside_shard(finding: Found, name: str) -> ImportItem | None:
    """Each shard must stay in the store as well; one that is missing is told by the reader."""
    for filename in shard_filenames(finding.path.name)[1:]:
        path = finding.path.with_name(filename)
        reason = confined(path, finding.root)
        if reason == "missing_file":
            continue
        if reason is not None:
            return ImportItem("skipped", name, path, source=finding.source, reason=reason)
    return None


def _read(finding: Found, name: str) -> GgufModel | ImportItem:
    def skipped(reason: SkipReason, detail: str = "", path: Path = finding.path) -> ImportItem:
        return ImportItem("skipped", name, path, source=finding.source, reason=reason, detail=detail)

    try:
        model = read_files(finding.path)
    except ModelNotFound:  # gone since it was found
        return skipped("missing_file")
    except ModelFileError as error:
        reason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
        return skipped(reason, error.reason, Path(error.path))
    if finding.size_bytes is not None and model.size_bytes != finding.size_bytes:
        return skipped("truncated", f"{model.size_bytes} bytes where {finding.size_bytes} were promised")
    if is_vision_file(model):
        return skipped("vision")
    if model.header.text("general.type") in _OTHER_TYPES or not model.header.architecture:
        return skipped("not_a_model", model.header.text("general.type"))
    return model


def _is_same_model(gone: ModelRecord, found: ModelRecord) -> bool:
    """Whether a file that is gone has come back elsewhere: a hub's cache changes paths with each commit."""
    if gone.size_bytes != found.size_bytes or entry_of(gone).state == "missing_shard":
        return False
    if gone.sha256 is not None and found.sha256 is not None:
        return gone.sha256 == found.sha256
    return gone.name == found.name and gone.source.partition("@")[0] == found.source.partition("@")[0]


def _moved_to(again: ModelRecord, known: ModelRecord) -> ModelRecord:
    return replace(
        known, paths=again.paths, looks=again.looks, source=again.source, is_ours=again.is_ours, home=""
    )


def _file_id(path: Path | str) -> FileId | None:
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    return (facts.st_dev, facts.st_ino)
