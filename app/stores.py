"""What `model_manager` asks of a store, answered by the database on its own thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from model_manager.types import ModelRecord, ModelUsage
from storage.records import Speed, StoredDownload, StoredModel
from storage.store import Store
from storage.thread import StorageThread

_MODEL_FIELDS = tuple(field.name for field in fields(ModelRecord))


class LibraryStore:
    """Satisfies `model_manager.library.ModelStore`; may be called from any thread."""

    def __init__(self, storage: StorageThread) -> None:
        self._storage = storage

    def list(self) -> Sequence[ModelRecord]:
        """All entries, by name."""
        return [_record(stored) for stored in self._storage.call(lambda store: store.models.list())]

    def get(self, name: str) -> ModelRecord | None:
        """The entry of this name."""
        stored = self._storage.call(lambda store: store.models.get(name))
        return None if stored is None else _record(stored)

    def put(self, record: ModelRecord) -> None:
        """Add or replace an entry."""
        self.put_all([record])

    def put_all(self, records: Sequence[ModelRecord]) -> None:
        """Add or replace several entries at once."""
        stored = [
            StoredModel(**{name: getattr(record, name) for name in _MODEL_FIELDS}) for record in records
        ]
        self._storage.call(lambda store: store.models.put_all(stored))

    def delete(self, name: str) -> None:
        """Forget an entry."""
        self._storage.call(lambda store: store.models.delete(name))

    def usage(self) -> Mapping[str, ModelUsage]:
        """When models were used, and how fast they were."""

        def read(store: Store) -> tuple[dict[str, Speed], dict[str, datetime]]:
            return store.speeds.all(), store.speeds.uses()

        speeds, uses = self._storage.call(read)
        return {
            name: ModelUsage(
                uses.get(name),
                speeds[name].decode_tokens_per_s if name in speeds else None,
                speeds[name].prefill_tokens_per_s if name in speeds else None,
            )
            for name in speeds.keys() | uses.keys()
        }


class DownloadStore:
    """Satisfies `model_manager.downloads.DownloadStore`; may be called from any thread."""

    def __init__(self, storage: StorageThread) -> None:
        self._storage = storage

    def list(self) -> Sequence[StoredDownload]:
        """All rows, in the order of the queue."""
        return self._storage.call(lambda store: store.downloads.list())

    def add(self, ref: str, name: str, plan: Mapping[str, Any]) -> StoredDownload:
        """A new row."""
        return self._storage.call(lambda store: store.downloads.add(ref, name, plan))

    def update(
        self,
        download_id: int,
        *,
        status: str | None = None,
        plan: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Change what is not None."""
        self._storage.call(
            lambda store: store.downloads.update(download_id, status=status, plan=plan, error=error)
        )

    def reorder(self, download_ids: Sequence[int]) -> None:
        """Put rows into this order."""
        self._storage.call(lambda store: store.downloads.reorder(download_ids))

    def delete(self, download_id: int) -> None:
        """Forget a row."""
        self._storage.call(lambda store: store.downloads.delete(download_id))


def _record(stored: StoredModel) -> ModelRecord:
    return ModelRecord(**{name: getattr(stored, name) for name in _MODEL_FIELDS})
