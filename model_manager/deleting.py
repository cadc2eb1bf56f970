"""Deleting a model's files: ours at once, other programs' only where somebody said so."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from model_manager.errors import CannotWrite, KeptByStore
from model_manager.move_journal import remove_empty_folders
from model_manager.types import ModelRecord

log = logging.getLogger(__name__)


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a file, links followed, lies in a folder."""
    return path.resolve().is_relative_to(folder.resolve())


def delete_ours(record: ModelRecord, models_dir: Path, used_by_others: Sequence[str]) -> None:
    """Deletes an entry's files where the record says ours and they lie where the program puts files.

    Args:
        record: The entry.
        models_dir: The folder for models.
        used_by_others: Paths that other entries have; these stay.

    Raises:
        CannotWrite: A file cannot be deleted.
    """
    if not record.is_ours:
        return
    tops = [models_dir, *([Path(record.home)] if record.home else [])]
    for path in map(Path, record.paths):
        # The record says ours, the folders say no: nothing outside them is ever deleted.
        top = next((top for top in tops if is_inside(path, top)), None)
        if top is not None and str(path) not in used_by_others:
            _unlink(path)
            remove_empty_folders(path.parent, top)


def delete_foreign(record: ModelRecord) -> None:
    """Deletes files of another program, because a person has said so.

    A link of the Hub's cache takes its blob with it, unless another link needs that.

    Raises:
        KeptByStore: Ollama has it: models there share files, and only `ollama rm` knows which.
        CannotWrite: A file cannot be deleted.
    """
    store, _, name = record.source.partition(":")
    if store == "ollama":
        raise KeptByStore(record.name, store, name)
    for path in map(Path, record.paths):
        blob = _blob_of(path)
        _unlink(path)
        if blob is not None and not _is_linked(blob):
            _unlink(blob)
    log.info("deleted the files of %s, which were not ours", record.name)


def _blob_of(path: Path) -> Path | None:
    """What a link of the Hub's cache (`snapshots/COMMIT/FILE`) leads to in the same repository's `blobs`."""
    if not path.is_symlink():
        return None
    target = path.resolve()
    repository = next((parent.parent for parent in path.parents if parent.name == "snapshots"), None)
    if repository is None or target.parent != (repository / "blobs").resolve():
        return None
    return target


def _is_linked(blob: Path) -> bool:
    snapshots = blob.parent.parent / "snapshots"
    for folder, _folders, names in os.walk(snapshots):
        if any(Path(folder, name).resolve() == blob for name in names):
            return True
    return False


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(path, str(error)) from error
