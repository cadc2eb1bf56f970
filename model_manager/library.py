"""The models of this machine that the program knows: where their files are, and what is in them.

An entry's name is its file's, without shard numbers and `.gguf`. Files that a person has imported stay where
they are and are never deleted; downloads and copies lie in the models folder and belong to the program. The
starter entries are always there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_manager import plans, starter
from model_manager.checking import check_bytes
from model_manager.copying import copy_files, counted
from model_manager.deleting import delete_foreign, delete_ours, is_inside
from model_manager.entries import (
    absolute,
    entry_of,
    imported_again,
    read_files,
    read_whole_model,
    record_of,
    refreshed,
    verified,
)
from model_manager.errors import (
    CannotRemoveStarter,
    HashMismatch,
    ModelIsRemote,
    ModelManagerError,
    ModelNameTaken,
    ModelNotFound,
    StarterUnavailable,
)
from model_manager.filenames import safe_path_in
from model_manager.looks import looks_of
from model_manager.move_journal import discard_targets, move_of
from model_manager.records import ModelStore, Records
from model_manager.shards import GgufModel, model_stem
from model_manager.tensor_patterns import check_plan
from model_manager.tuning import Tuning
from model_manager.types import Adapter, LoadPlan, ModelEntry, ModelRecord, ModelUsage

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""`progress(done_bytes, total_bytes)`, on the thread that called."""
Cancelled = Callable[[], bool]


class Library:
    """The entries, and what can be done with them. May be used from several threads.

    Attributes:
        models_dir: The folder whose files belong to the program.
        records: What is remembered of the entries.
    """

    def __init__(
        self,
        store: ModelStore,
        models_dir: Path,
        elsewhere: Callable[[], Sequence[ModelEntry]] = tuple,
        usage: Callable[[], Mapping[str, ModelUsage]] = dict,
    ) -> None:
        """Open it.

        Args:
            store: Where entries are remembered.
            models_dir: The folder whose files belong to the program.
            elsewhere: Models that other servers have; they are listed last.
            usage: When models were used and how fast they were, by name.
        """
        self.models_dir = models_dir
        self.records = Records(store, elsewhere)
        self._elsewhere = elsewhere
        self._usage = usage

    def list(self) -> Sequence[ModelEntry]:
        """All entries: the starters first, then the others by name. Missing ones are marked, not dropped.

        Files are looked at, not opened; only one that looks different from what is remembered is read again.
        """
        stored = [self._entry(record) for record in self.records.list()]
        usage = self._usage()
        entries = [*map(self._with_wishes, starter.entries()), *stored, *self._elsewhere()]
        return [
            replace(
                entry,
                used_at=used.used_at,
                decode_tokens_per_s=used.decode_tokens_per_s,
                prefill_tokens_per_s=used.prefill_tokens_per_s,
            )
            if (used := usage.get(entry.name))
            else entry
            for entry in entries
        ]

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
        record = self.records.get(name_or_path)
        if record is not None:
            return self._entry(record)
        for entry in self._elsewhere():
            if entry.name == name_or_path:
                return entry
        path = absolute(name_or_path)
        for record in self.records.list():
            if str(path) in record.paths:
                return self._entry(record)
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
        model = read_whole_model(absolute(path))
        name = model_stem(model.paths[0].name)
        if copy and not self.is_ours(model.paths[0]):
            targets = [safe_path_in(self.models_dir, source.name) for source in model.paths]
            self.records.require_free(name, targets)
            for target in targets:
                if target.exists():
                    raise ModelNameTaken(name, target)
            sha256 = copy_files(model.paths, targets, counted(progress, model.size_bytes), cancelled)
            copied = record_of(name, GgufModel(tuple(targets), model.headers), sha256, is_ours=True)
            record = verified(copied, copied.looks, is_good=True)
        else:
            record = record_of(name, model, is_ours=self.is_ours(model.paths[0]))
        record = self.records.put(record, lambda known: imported_again(known, model))
        log.info("imported %s: %s", name, record.paths[0])
        return self._entry(record)

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
        model = read_whole_model(absolute(paths[0]))
        digests = {str(absolute(path)): digest for path, digest in zip(paths, sha256, strict=True)}
        ordered = tuple(digests.get(str(path), "") for path in model.paths)
        record = record_of(model_stem(model.paths[0].name), model, ordered if all(ordered) else None)
        if record.sha256 is not None:
            record = verified(record, record.looks, is_good=True)
        return self._entry(self.records.put_numbered(replace(record, source=source, is_ours=True)))

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
        record = self.records.get(entry.name)
        is_stored = (
            record is not None and not entry.is_starter and entry.paths == tuple(map(Path, record.paths))
        )
        looks = looks_of(entry.paths)
        try:
            found = check_bytes(entry, progress, cancelled)
        except HashMismatch:
            if is_stored:
                self.records.update(entry.name, lambda known: verified(known, looks, is_good=False))
            raise
        model = read_files(entry.paths[0])
        if is_stored:
            self.records.update(
                entry.name, lambda known: verified(refreshed(known, model, found), looks, is_good=True)
            )
            return self.get(entry.name)
        return replace(entry, sha256=found)

    def annotate(
        self, name: str, *, tags: Sequence[str] | None = None, note: str | None = None
    ) -> ModelEntry:
        """Keeps a person's words about a model.

        Args:
            name: Of an entry.
            tags: Take the place of those that it had; space around them and empty ones go. None leaves them.
            note: Takes the place of the one that it had; None leaves that.

        Raises:
            ModelNotFound: There is no such entry.
        """
        changes: dict[str, Any] = {}
        if tags is not None:
            changes["tags"] = tuple(sorted({" ".join(tag.split()) for tag in tags} - {""}))
        if note is not None:
            changes["note"] = note.strip()
        return self._change(name, lambda record, _entry: replace(record, **changes))

    def set_plan(self, name: str, changes: Mapping[str, Any]) -> ModelEntry:
        """Keeps wishes for how a model is loaded (`model_manager.plans`); what was measured before is void.

        Args:
            name: Of an entry.
            changes: Fields of `LoadPlan`, as JSON values; None takes a wish back.

        Raises:
            ModelNotFound: There is no such entry, or its file is gone.
            ModelFileError: Its file cannot be used (one of its subclasses says why).
            ValueError: A field cannot be kept or cannot have this value.
            ContextTooLarge, BadOverride, BadExpertCount, NoGuessingLayers: This model has no such context,
                tensors, experts or layers. Nothing was changed.
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
        return self._change(
            name, lambda record, entry: replace(record, info={**record.info, **values_of(entry)})
        )

    def _change(self, name: str, change: Callable[[ModelRecord, ModelEntry], ModelRecord]) -> ModelEntry:
        entry = next((entry for entry in self.list() if entry.name == name), None)
        if entry is None:
            raise ModelNotFound(name)
        bare = ModelRecord(name=name, paths=tuple(map(str, entry.paths)), size_bytes=entry.size_bytes)
        self.records.update_or_add(bare, lambda record: change(record, entry))
        return self.get(name)

    def _with_wishes(self, entry: ModelEntry) -> ModelEntry:
        """A starter with what is kept for it; nothing else of its record counts."""
        record = self.records.get(entry.name)
        if record is None:
            return entry
        kept = entry_of(record)
        return replace(
            entry,
            plan=kept.plan,
            adapters=kept.adapters,
            tuning=kept.tuning,
            measured=kept.measured,
            tags=kept.tags,
            note=kept.note,
        )

    def _entry(self, record: ModelRecord) -> ModelEntry:
        """The record's entry; its header is read again if its files look different from what was noted."""
        entry = entry_of(record)
        looks = looks_of(record.paths)
        if entry.is_missing or looks == record.looks:
            return entry
        try:
            model = read_files(entry.paths[0])
        except ModelManagerError as error:
            log.info("%s is no model any more: %s", record.name, error)
            return replace(entry, state="damaged")

        def refresh(known: ModelRecord) -> ModelRecord:
            return refreshed(known, model, known.sha256) if known.paths == record.paths else known

        try:
            return entry_of(self.records.update(record.name, refresh))
        except ModelNotFound:  # removed meanwhile
            return entry

    def remove(self, name: str, *, delete_foreign_files: bool = False) -> None:
        """Forgets an entry. Its files are deleted if the program put them where they are.

        Args:
            name: Of an entry.
            delete_foreign_files: Delete also files that the program did not put there; a person has said so.

        Raises:
            CannotRemoveStarter: It is one of the program's own.
            ModelNotFound: There is no such entry.
            KeptByStore: Its store alone can delete it; nothing was changed.
            CannotWrite: A file cannot be deleted; the entry stays.
        """
        if name in starter.NAMES:
            raise CannotRemoveStarter(name)
        record = self.records.get(name)
        if record is None:
            raise ModelNotFound(name)
        move = move_of(record.moving)
        if move is not None and not move.is_switched:
            discard_targets(move)
        # Files first: interrupted here, the entry is left, shows as missing and can be removed again.
        others = [path for other in self.records.list() if other.name != name for path in other.paths]
        delete_ours(record, self.models_dir, others)
        if delete_foreign_files and not record.is_ours:
            delete_foreign(record)
        self.records.delete(name)
        log.info("removed %s", name)

    def is_ours(self, path: Path) -> bool:
        """Whether a file lies in the models folder, links followed."""
        return is_inside(path, self.models_dir)


def _checked(entry: ModelEntry, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The entry's wishes with these, as far as its file can fulfil them."""
    values = plans.changed(entry.plan, changes)
    plan = plans.applied(LoadPlan(entry.paths[0], name=entry.name), values)
    check_plan(plan, read_files(entry.paths[0]))
    return values
