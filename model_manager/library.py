"""The models of this machine that the program knows: where their files are, and what is in them.

An entry's name is its file's, without shard numbers and `.gguf`. Files that a person has imported stay where
they are and are never deleted; downloads and copies lie in the models folder and belong to the program. The
starter entries are always there.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from model_manager import plans, stamps, starter
from model_manager.copying import copy_files
from model_manager.digest import sha256_of
from model_manager.entries import absolute, entry_of, read_files, record_of, refreshed
from model_manager.errors import (
    CannotRemoveStarter,
    CannotWrite,
    HashMismatch,
    MissingShard,
    ModelFileError,
    ModelIsRemote,
    ModelNameTaken,
    ModelNotFound,
    OnlyVision,
    StarterUnavailable,
)
from model_manager.filenames import safe_path_in
from model_manager.shards import GgufModel, model_stem
from model_manager.tensor_patterns import check_plan
from model_manager.tuning import Tuning
from model_manager.types import Adapter, LoadPlan, ModelEntry, ModelRecord
from model_manager.vision_files import is_vision_file

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""`progress(done_bytes, total_bytes)`, on the thread that called."""
Cancelled = Callable[[], bool]


class ModelStore(Protocol):
    """Where entries are remembered. Called on whatever thread the library is called on."""

    def list(self) -> Sequence[ModelRecord]:
        """All entries, by name."""

    def get(self, name: str) -> ModelRecord | None:
        """The entry of this name; None where there is none."""

    def put(self, record: ModelRecord, /) -> None:
        """Add an entry, or replace the one of the same name."""

    def delete(self, name: str) -> None:
        """Forget an entry; nothing happens where there is none."""


class Library:
    """The entries, and what can be done with them. May be used from several threads.

    Attributes:
        models_dir: The folder whose files belong to the program.
    """

    def __init__(
        self, store: ModelStore, models_dir: Path, elsewhere: Callable[[], Sequence[ModelEntry]] = tuple
    ) -> None:
        """Open it.

        Args:
            store: Where entries are remembered.
            models_dir: The folder whose files belong to the program.
            elsewhere: Models that other servers have; they are listed last.
        """
        self.models_dir = models_dir
        self._elsewhere = elsewhere
        self._store = store
        self._names = threading.Lock()  # Between the look whether a name is free and the taking of it.

    def list(self) -> Sequence[ModelEntry]:
        """All entries: the starters first, then the others by name. Missing ones are marked, not dropped."""
        stored = (entry_of(record) for record in self._store.list() if record.name not in starter.NAMES)
        return [*map(self._with_wishes, starter.entries()), *stored, *self._elsewhere()]

    def get(self, name_or_path: str) -> ModelEntry:
        """The entry of this name, or of a GGUF file (any shard) that need not be in the library.

        The starter's file is not made here: see `starter.ensure_starter`.

        Raises:
            ModelNotFound: Neither an entry nor a file.
            ModelFileError: A file that is no usable model (one of its subclasses says why).
        """
        for entry in starter.entries():
            if entry.name == name_or_path:
                return self._with_wishes(entry)
        record = self._store.get(name_or_path)
        if record is not None:
            return entry_of(record)
        for entry in self._elsewhere():
            if entry.name == name_or_path:
                return entry
        path = absolute(name_or_path)
        for record in self._store.list():
            if str(path) in record.paths:
                return entry_of(record)
        if not os.path.isfile(path):
            raise ModelNotFound(name_or_path)  # as it was typed, not as a path that was never meant
        model = read_files(path)
        return entry_of(record_of(model_stem(model.paths[0].name), model))

    def import_path(
        self,
        path: Path,
        *,
        copy: bool = False,
        progress: Progress | None = None,
        cancelled: Cancelled = lambda: False,
    ) -> ModelEntry:
        """Adds a file (any shard of a split model) that is on this machine. Adding it again changes nothing.

        Args:
            path: The file.
            copy: Copy it into the models folder (hashed on the way), instead of using it where it is.
            progress: Of the copy.
            cancelled: Asked at least every 4 MiB of the copy.

        Raises:
            ModelNotFound: There is no such file.
            ModelFileError: It is no usable model (one of its subclasses says why).
            ModelNameTaken: Another model or file has its name.
            NotEnoughDisk, CannotWrite, UnsafeFilename, TransferCancelled: Of the copy; nothing is left of it.
        """
        model = _read_whole_model(absolute(path))
        name = model_stem(model.paths[0].name)
        if copy and not self._is_inside(model.paths[0]):
            with self._names:
                targets = [safe_path_in(self.models_dir, source.name) for source in model.paths]
                self._require_free(name, targets)
            for target in targets:
                if target.exists():
                    raise ModelNameTaken(name, target)
            tell = _counted(progress, model.size_bytes)
            sha256 = copy_files(model.paths, targets, tell, cancelled)
            record = record_of(name, GgufModel(tuple(targets), model.headers), sha256, is_ours=True)
        else:
            record = record_of(name, model, is_ours=self._is_inside(model.paths[0]))
        with self._names:
            known = self._require_free(name, record.paths)
            if known is not None:
                record = refreshed(
                    known, model, known.sha256 if known.size_bytes == model.size_bytes else None
                )
            self._store.put(record)
        log.info("imported %s: %s", name, record.paths[0])
        return entry_of(record)

    def add_downloaded(self, paths: Sequence[Path], sha256: Sequence[str], source: str) -> ModelEntry:
        """Adds files that a download has verified and put into the models folder.

        If the name is another model's already, a number is added to it: what was downloaded is never refused.

        Args:
            paths: All files of the model.
            sha256: Of the files, in the same order.
            source: Where they came from, such as `hub:owner/repo@revision`.

        Raises:
            ModelFileError: They are no usable model (one of its subclasses says why).
        """
        model = _read_whole_model(absolute(paths[0]))
        digests = {str(absolute(path)): digest for path, digest in zip(paths, sha256, strict=True)}
        ordered = tuple(digests.get(str(path), "") for path in model.paths)
        stem = name = model_stem(model.paths[0].name)
        number = 1
        with self._names:
            while True:
                try:
                    self._require_free(name, model.paths)
                except ModelNameTaken:
                    number += 1
                    name = f"{stem}-{number}"
                else:
                    break
            record = replace(
                record_of(name, model, ordered if all(ordered) else None, is_ours=True), source=source
            )
            self._store.put(record)
        return entry_of(record)

    def verify(
        self, name: str, progress: Progress | None = None, cancelled: Cancelled = lambda: False
    ) -> ModelEntry:
        """Reads every byte of a model and compares; the first time, the hashes are recorded instead.

        Args:
            name: An entry's name, or a path (whose hash is then only computed).
            progress: See `Progress`.
            cancelled: Asked at least every 4 MiB.

        Raises:
            HashMismatch: A file is not what it was.
            ModelNotFound, MissingShard, StarterUnavailable: It is not there.
            ModelFileError: Its header is no longer one (one of its subclasses says why).
            TransferCancelled: `cancelled()` was true.
        """
        if name in (starter.STARTER, starter.STARTER_THINKING):
            starter.ensure_starter()
        entry = self.get(name)
        if entry.is_starter and entry.is_missing:
            raise StarterUnavailable(entry.paths[0])
        if entry.address:
            raise ModelIsRemote(name)
        total_bytes = 0 if entry.is_missing else sum(path.stat().st_size for path in entry.paths)
        tell = _counted(progress, total_bytes)
        digests = []
        for number, path in enumerate(entry.paths):
            try:
                digest = sha256_of(path, tell, cancelled)
            except FileNotFoundError as error:
                raise MissingShard(path) if number else ModelNotFound(name) from error
            except OSError as error:
                raise ModelFileError(path, str(error)) from error
            if entry.sha256 is not None and digest != entry.sha256[number]:
                if entry.is_starter:  # It is made again when it is next wanted.
                    stamps.discard(path)
                raise HashMismatch(path, entry.sha256[number], digest)
            digests.append(digest)
        model = read_files(entry.paths[0])
        record = self._store.get(entry.name)
        if record is not None and not entry.is_starter and entry.paths == tuple(map(Path, record.paths)):
            self._store.put(refreshed(record, model, tuple(digests)))
        return replace(entry, sha256=tuple(digests))

    def set_plan(self, name: str, changes: Mapping[str, Any]) -> ModelEntry:
        """Keeps wishes for how a model is loaded (`model_manager.plans`); what was measured before is void.

        Args:
            name: Of an entry.
            changes: Fields of `LoadPlan`, as JSON values; None takes a wish back.

        Raises:
            ModelNotFound: There is no such entry, or its file is gone.
            ModelFileError: Its file cannot be used (one of its subclasses says why).
            ValueError: A field cannot be kept or cannot have this value.
            BadOverride, BadExpertCount: This model has no such tensors or experts. Nothing was changed.
        """
        return self._keep(name, lambda entry: {"plan": _checked(entry, changes), "tuning": {}})

    def set_tuning(self, name: str, found: Tuning, measured_at: str) -> ModelEntry:
        """Keeps what a measurement found: the changes as wishes, and the figures.

        Args:
            name: Of an entry.
            found: Something was measured.
            measured_at: Day and time, in ISO 8601.

        Raises:
            ModelNotFound, ModelFileError, BadOverride, BadExpertCount: As `set_plan`; nothing was changed.
        """
        values = plans.tuning_values(found, measured_at)
        return self._keep(name, lambda entry: {"plan": _checked(entry, found.changes), "tuning": values})

    def reset_plan(self, name: str) -> ModelEntry:
        """Forgets all that `set_plan` and `set_tuning` kept.

        Raises:
            ModelNotFound: There is no such entry.
        """
        return self._keep(name, lambda _entry: {"plan": {}, "tuning": {}})

    def set_adapters(self, name: str, adapters: Sequence[Adapter]) -> ModelEntry:
        """Keeps the adapters that a model is loaded with.

        Raises:
            ModelNotFound: There is no such entry.
        """
        return self._keep(name, lambda _entry: {"adapters": plans.adapter_values(adapters)})

    def set_measured(self, name: str, values: Mapping[str, Any]) -> ModelEntry:
        """Keeps what a load has taken (`model_manager.measured_memory`).

        Raises:
            ModelNotFound: There is no such entry.
        """
        return self._keep(name, lambda _entry: {"measured": dict(values)})

    def _keep(self, name: str, values_of: Callable[[ModelEntry], Mapping[str, Any]]) -> ModelEntry:
        with self._names:
            entry = next((entry for entry in self.list() if entry.name == name), None)
            if entry is None:
                raise ModelNotFound(name)
            record = self._store.get(name) or ModelRecord(
                name=name, paths=tuple(map(str, entry.paths)), size_bytes=entry.size_bytes
            )
            self._store.put(replace(record, info={**record.info, **values_of(entry)}))
        return self.get(name)

    def _with_wishes(self, entry: ModelEntry) -> ModelEntry:
        """A starter with what is kept for it; nothing else of its record counts."""
        record = self._store.get(entry.name)
        if record is None:
            return entry
        kept = entry_of(record)
        return replace(
            entry, plan=kept.plan, adapters=kept.adapters, tuning=kept.tuning, measured=kept.measured
        )

    def remove(self, name: str) -> None:
        """Forgets an entry. Its files are deleted if they lie in the models folder and belong to the program.

        Raises:
            CannotRemoveStarter: It is one of the program's own.
            ModelNotFound: There is no such entry.
            CannotWrite: A file cannot be deleted; the entry stays.
        """
        if name in starter.NAMES:
            raise CannotRemoveStarter(name)
        record = self._store.get(name)
        if record is None:
            raise ModelNotFound(name)
        # Files first: interrupted here, the entry is left, shows as missing and can be removed again.
        if record.is_ours:
            for path in map(Path, record.paths):
                self._delete(path)
        self._store.delete(name)
        log.info("removed %s", name)

    def _delete(self, path: Path) -> None:
        if not self._is_inside(path):
            return  # The record says ours, the folder says no: nothing outside it is ever deleted.
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CannotWrite(path, str(error)) from error
        folder = path.parent
        while folder.resolve() != self.models_dir.resolve() and self._is_inside(folder):
            try:
                folder.rmdir()
            except OSError:
                return  # Not empty, mostly.
            folder = folder.parent

    def _is_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.models_dir.resolve())

    def _require_free(self, name: str, paths: Sequence[Path | str]) -> ModelRecord | None:
        """What is recorded for just these files under this name, if anything."""
        for entry in starter.entries():
            if entry.name == name:
                raise ModelNameTaken(name, entry.paths[0])
        for entry in self._elsewhere():
            if entry.name == name:
                raise ModelNameTaken(name, entry.address)
        record = self._store.get(name)
        if record is not None and list(record.paths) != [str(path) for path in paths]:
            raise ModelNameTaken(name, Path(record.paths[0]))
        return record


def _read_whole_model(path: Path) -> GgufModel:
    model = read_files(path)
    if is_vision_file(model):
        raise OnlyVision(path)
    return model


def _counted(progress: Progress | None, total_bytes: int) -> Callable[[int], None]:
    done_bytes = 0

    def tell(n_bytes: int) -> None:
        nonlocal done_bytes
        done_bytes += n_bytes
        if progress is not None:
            progress(done_bytes, total_bytes)

    return tell


def _checked(entry: ModelEntry, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The entry's wishes with these, as far as its file can fulfil them."""
    values = plans.changed(entry.plan, changes)
    check_plan(plans.applied(LoadPlan(entry.paths[0]), values), read_files(entry.paths[0]))
    return values
