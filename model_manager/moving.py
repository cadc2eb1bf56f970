"""Moving a model's files to another folder or disk, so that at every moment one whole copy has its entry.

What is to be done is written into the record first (`move_journal`). Files are linked where both folders are
on one disk, else copied, hashed on the way and read back; then the entry is switched in one step; only after
that the old files go. A move that was killed is finished by asking for it again, or undone by `cancel`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from model_manager import starter
from model_manager.copying import RESERVE_BYTES, counted
from model_manager.deleting import is_inside
from model_manager.digest import CHUNK_BYTES, Sha256, sha256_of
from model_manager.entries import absolute, read_files, verified
from model_manager.errors import (
    CannotRemoveStarter,
    CannotWrite,
    HashMismatch,
    MissingShard,
    ModelFileError,
    ModelIsRemote,
    ModelNameTaken,
    ModelNotFound,
    NotEnoughDisk,
    TransferCancelled,
)
from model_manager.filenames import safe_path_in
from model_manager.library import Library
from model_manager.looks import looks_of
from model_manager.move_journal import Move, discard_targets, move_of, part_of, remove_empty_folders
from model_manager.own_files import sync_folder
from model_manager.types import ModelEntry, ModelRecord
from model_manager.vision_files import find_mmproj

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """What the steps of one move need.

    Attributes:
        tell: Told the size in bytes of each chunk that was written or read back.
        may_link: The files are ours, so that the old and the new name may be one file for a while.
    """

    name: str
    tell: Callable[[int], None]
    cancelled: Callable[[], bool]
    may_link: bool


class Moving:
    """Moves models, one at a time. May be used from several threads; the later ones wait."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._turn = threading.Lock()

    def move(
        self,
        name: str,
        folder: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        on_switched: Callable[[], None] = lambda: None,
    ) -> ModelEntry:
        """Puts a model's files, and the vision tower beside them, into another folder.

        Files of other programs are copied: theirs stay, and the entry stands for ours.

        Args:
            name: Of an entry.
            folder: Made if it is not there. Files keep their place below it (`owner/repo/file.gguf`).
            progress: `progress(done_bytes, total_bytes)`.
            cancelled: Asked at least every 4 MiB; the move is undone.
            on_switched: Called when the entry stands for the new files, before the old ones go.

        Raises:
            ModelNotFound, MissingShard, ModelIsRemote, CannotRemoveStarter: There is nothing to move.
            ModelFileError: Its files cannot be read (one of its subclasses says why).
            ModelNameTaken: Another file has the place of one.
            NotEnoughDisk, UnsafeFilename: It cannot be moved there; nothing was written.
            HashMismatch: A file is not what it should be, here or there; the move was undone.
            CannotWrite: Writing failed; what is there is kept, and the same call goes on.
            TransferCancelled: `cancelled()` was true; the move was undone.
        """
        with self._turn:
            record = self._record(name)
            self._finish(record)
            move = self._plan(record, absolute(folder))
            if move is None:
                return self._library.get(name)
            self._library.records.update(name, lambda known: replace(known, moving=move.to_json()))
            total_bytes = sum(_size(source) for source, _target in move.files)
            tell = counted(None if progress is None else _halved(progress), 2 * total_bytes)
            job = _Job(name, tell, cancelled, record.is_ours)
            try:
                digests = self._bring_all(record, move, job)
            except (TransferCancelled, HashMismatch):
                self._undo(name, move)
                raise
            except OSError as error:
                raise CannotWrite(move.folder, str(error)) from error
            switched = self._switch(record, move, digests)
            on_switched()
            self._finish(switched)
            log.info("moved %s to %s", name, move.folder)
            return self._library.get(name)

    def cancel(self, name: str) -> ModelEntry:
        """Undoes a move that was cut off; nothing happens where there is none.

        Raises:
            ModelNotFound: There is no such entry.
        """
        with self._turn:
            record = self._library.records.get(name)
            if record is None:
                return self._library.get(name)
            move = move_of(record.moving)
            if move is not None and not move.is_switched:
                self._undo(name, move)
            return self._library.get(name)

    def settle(self) -> None:
        """Deletes what moves have left behind that were killed after their switch; quick where none was."""
        for record in self._library.records.list():
            if record.moving is not None:
                with self._turn:
                    self._finish(record)

    # --- steps -------------------------------------------------------------------------------------------

    def _record(self, name: str) -> ModelRecord:
        if name in starter.NAMES:
            raise CannotRemoveStarter(name)
        record = self._library.records.get(name)
        if record is None:
            entry = self._library.get(name)
            raise ModelIsRemote(name) if entry.address else ModelNotFound(name)
        for number, path in enumerate(record.paths):
            if not os.path.isfile(path):
                raise MissingShard(path) if number else ModelNotFound(name)
        tops = [self._library.models_dir, *([Path(record.home)] if record.home else [])]
        is_ours = record.is_ours and all(
            any(is_inside(Path(path), top) for top in tops) for path in record.paths
        )
        return replace(record, is_ours=is_ours)

    def _plan(self, record: ModelRecord, folder: Path) -> Move | None:
        """What is to be done; goes on with what was begun. None where the files are there already."""
        begun = move_of(record.moving)
        if begun is not None and not begun.is_switched:
            sources = tuple(str(source) for source, _target in begun.files[: len(record.paths)])
            if begun.folder == folder and sources == record.paths:
                self._require_room(begun, record.is_ours)
                return begun
            self._undo(record.name, begun)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(folder, str(error)) from error
        files = [(Path(path), self._target(record, Path(path), folder)) for path in record.paths]
        if all(source == target or _is_same(source, target) for source, target in files):
            return None
        files += self._tower(record, *files[0])
        for _source, target in files:
            if os.path.lexists(target):
                raise ModelNameTaken(record.name, target)
        move = Move(folder, tuple(files))
        self._require_room(move, record.is_ours)
        return move

    def _tower(self, record: ModelRecord, source: Path, target: Path) -> list[tuple[Path, Path]]:
        """The vision tower with its place beside the model, unless that is taken or there is none."""
        tower = find_mmproj(read_files(source))
        name = tower.name if tower is not None else f"mmproj-{target.name}"
        tower = tower or self._library.get(record.name).mmproj_path
        beside = target.with_name(name)
        return [] if tower is None or beside.exists() else [(tower, beside)]

    def _target(self, record: ModelRecord, path: Path, folder: Path) -> Path:
        for top in (record.home, self._library.models_dir):
            if record.is_ours and top and path.is_relative_to(top):
                return safe_path_in(folder, path.relative_to(top).as_posix())
        if path.suffix.lower() == ".gguf":
            return safe_path_in(folder, path.name)
        # A blob of Ollama has no name that a person would know.
        return safe_path_in(folder, f"{record.name.replace('/', '-').replace(':', '-')}.gguf")

    def _require_room(self, move: Move, may_link: bool) -> None:
        if may_link and _is_one_disk(move):
            return
        needed_bytes = RESERVE_BYTES
        for source, target in move.files:
            if not target.exists():
                needed_bytes += max(0, _size(source) - _size(part_of(target)))
        free_bytes = shutil.disk_usage(move.folder).free
        if free_bytes < needed_bytes:
            raise NotEnoughDisk(needed_bytes, free_bytes, move.folder)

    def _bring_all(self, record: ModelRecord, move: Move, job: _Job) -> tuple[str | None, ...]:
        """Makes all targets; their hashes, None for those that are links."""
        expected = record.sha256 or ()
        digests = []
        for number, (source, target) in enumerate(move.files):
            digest = _bring(source, target, job)
            if digest is not None and number < len(expected) and digest != expected[number]:
                raise HashMismatch(source, expected[number], digest)
            digests.append(digest)
        for folder in {target.parent for _source, target in move.files}:
            sync_folder(folder)
        return tuple(digests)

    def _switch(self, record: ModelRecord, move: Move, digests: Sequence[str | None]) -> ModelRecord:
        paths = tuple(str(target) for _source, target in move.files[: len(record.paths)])
        found = tuple(digest for digest in digests[: len(paths)] if digest is not None)
        home = "" if is_inside(move.folder, self._library.models_dir) else str(move.folder)
        left = replace(move, is_switched=True).to_json() if record.is_ours else None

        def switch(known: ModelRecord) -> ModelRecord:
            moved = replace(known, paths=paths, home=home, is_ours=True, looks=looks_of(paths), moving=left)
            if len(found) < len(paths):  # linked: the very same files
                return moved
            return verified(replace(moved, sha256=found), moved.looks, is_good=True)

        return self._library.records.update(record.name, switch)

    def _finish(self, record: ModelRecord) -> None:
        """Deletes the old files of a move that has switched its entry."""
        move = move_of(record.moving)
        if move is None or not move.is_switched:
            return
        others = self._library.records.list()
        used = {path for other in others for path in other.paths}
        folders = {Path(path).parent for path in used}
        for number, (source, target) in enumerate(move.files):
            is_tower = number >= len(record.paths)
            if str(source) in used or (is_tower and source.parent in folders) or not target.exists():
                continue
            try:
                source.unlink(missing_ok=True)
            except OSError as error:
                log.info("%s is left behind for now: %s", source, error)
                return
            if is_inside(source.parent, self._library.models_dir):
                remove_empty_folders(source.parent, self._library.models_dir)
            else:
                with contextlib.suppress(OSError):
                    source.parent.rmdir()
        with contextlib.suppress(ModelNotFound):
            self._library.records.update(record.name, lambda known: replace(known, moving=None))

    def _undo(self, name: str, move: Move) -> None:
        discard_targets(move)
        with contextlib.suppress(ModelNotFound):
            self._library.records.update(name, lambda known: replace(known, moving=None))


def _bring(source: Path, target: Path, job: _Job) -> str | None:
    """Makes one target, unless an earlier try has; its hash, None where it is a link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size_bytes = _size(source)
    if job.may_link:
        if _is_same(source, target):
            job.tell(2 * size_bytes)
            return None
        if not target.exists() and not part_of(target).exists():
            with contextlib.suppress(OSError):  # another disk, or one that knows no links
                os.link(source, target)
                job.tell(2 * size_bytes)
                return None
    part = part_of(target)
    if target.exists():  # whole, from a try that was killed after it: it is read again to be sure
        target.replace(part)
    digest = _copy(source, part, job)
    _forget_pages(part)
    there = sha256_of(part, job.tell, job.cancelled)
    if there != digest:
        raise HashMismatch(part, digest, there)
    facts = source.stat()
    os.utime(part, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    part.replace(target)
    return digest


def _copy(source: Path, part: Path, job: _Job) -> str:
    """Copies what is not there yet; what an earlier try has written is compared, byte by byte."""
    digest = Sha256()
    if part.is_symlink():  # nothing of ours, and it would lead elsewhere
        part.unlink()
    with _open(source) as reader, part.open("r+b" if part.exists() else "w+b") as writer:
        position = 0
        while chunk := reader.read(CHUNK_BYTES):
            if job.cancelled():
                raise TransferCancelled
            writer.seek(position)
            if writer.read(len(chunk)) != chunk:
                writer.seek(position)
                writer.write(chunk)
            position += len(chunk)
            digest.update(chunk)
            job.tell(len(chunk))
        writer.truncate(position)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def _open(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise ModelFileError(source, str(error)) from error


def _forget_pages(path: Path) -> None:
    """So that reading back asks the disk, where the system can be told."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _is_one_disk(move: Move) -> bool:
    try:
        return all(os.stat(source).st_dev == os.stat(move.folder).st_dev for source, _target in move.files)
    except OSError:
        return False


def _is_same(source: Path, target: Path) -> bool:
    try:
        return os.path.samefile(source, target)
    except OSError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _halved(progress: Callable[[int, int], None]) -> Callable[[int, int], None]:
    """Every byte is written and read back; people count it once."""
    return lambda done_bytes, total_bytes: progress(done_bytes // 2, total_bytes // 2)
