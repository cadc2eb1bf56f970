"""The library's records and their names: one lock between the look whether a name is free and its taking."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from model_manager import starter
from model_manager.errors import ModelNameTaken, ModelNotFound
from model_manager.types import ModelEntry, ModelRecord


class ModelStore(Protocol):
    """Where entries are remembered. Called on whatever thread the library is called on."""

    def list(self) -> Sequence[ModelRecord]:
        """All entries, by name."""

    def get(self, name: str) -> ModelRecord | None:
        """The entry of this name; None where there is none."""

    def put(self, record: ModelRecord, /) -> None:
        """Add an entry, or replace the one of the same name."""

    def put_all(self, records: Sequence[ModelRecord], /) -> None:
        """Add or replace several at once, or none of them."""

    def delete(self, name: str) -> None:
        """Forget an entry; nothing happens where there is none."""


class Records:
    """What is remembered of entries. May be used from several threads."""

    def __init__(self, store: ModelStore, elsewhere: Callable[[], Sequence[ModelEntry]] = tuple) -> None:
        """Open them.

        Args:
            store: Where they are remembered.
            elsewhere: Models of other servers, whose names are taken as well.
        """
        self._store = store
        self._elsewhere = elsewhere
        self._lock = threading.RLock()

    def list(self) -> Sequence[ModelRecord]:
        """All but the starters', by name."""
        return [record for record in self._store.list() if record.name not in starter.NAMES]

    def get(self, name: str) -> ModelRecord | None:
        """The record of this name, a starter's too; None where there is none."""
        return self._store.get(name)

    def require_free(self, name: str, paths: Sequence[Path | str]) -> ModelRecord | None:
        """What is recorded for just these files under this name, if anything.

        Raises:
            ModelNameTaken: The name is a starter's, another server's, or that of other files.
        """
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

    def put(self, record: ModelRecord, merge: Callable[[ModelRecord], ModelRecord]) -> ModelRecord:
        """Adds a record under its name.

        Args:
            record: With the name that it shall have.
            merge: Makes the record of what is there already for the same files.

        Raises:
            ModelNameTaken: See `require_free`.
        """
        with self._lock:
            known = self.require_free(record.name, record.paths)
            if known is not None:
                record = merge(known)
            self._store.put(record)
        return record

    def put_numbered(self, record: ModelRecord) -> ModelRecord:
        """Adds a record; where its name is other files' already, a number is added to it."""
        with self._lock:
            record = self._numbered(record, set())
            self._store.put(record)
        return record

    def put_all_numbered(self, records: Sequence[ModelRecord]) -> Sequence[ModelRecord]:
        """As `put_numbered` for many, which all are there afterwards or none is."""
        with self._lock:
            taken: set[str] = set()
            named = []
            for record in records:
                named.append(self._numbered(record, taken))
                taken.add(named[-1].name)
            self._store.put_all(named)
        return named

    def update(self, name: str, change: Callable[[ModelRecord], ModelRecord]) -> ModelRecord:
        """Changes a record as it is at this moment.

        Raises:
            ModelNotFound: There is none of this name.
        """
        with self._lock:
            record = self._store.get(name)
            if record is None:
                raise ModelNotFound(name)
            changed = change(record)
            if changed != record:
                self._store.put(changed)
        return changed

    def update_or_add(self, record: ModelRecord, change: Callable[[ModelRecord], ModelRecord]) -> ModelRecord:
        """Changes the record of this name, or `record` itself where there is none yet."""
        with self._lock:
            changed = change(self._store.get(record.name) or record)
            self._store.put(changed)
        return changed

    def delete(self, name: str) -> None:
        """Forgets a record; nothing happens where there is none."""
        with self._lock:
            self._store.delete(name)

    def _numbered(self, record: ModelRecord, taken: set[str]) -> ModelRecord:
        number, name = 1, record.name
        while True:
            try:
                if name not in taken:
                    self.require_free(name, record.paths)
                    return replace(record, name=name)
            except ModelNameTaken:
                pass
            number += 1
            name = f"{record.name}-{number}"
