"""A library's store in memory."""

from __future__ import annotations

from collections.abc import Sequence

from model_manager.types import ModelRecord


class Shelf:
    """The store that the program's database stands behind, in memory."""

    def __init__(self) -> None:
        self.records: dict[str, ModelRecord] = {}

    def list(self) -> list[ModelRecord]:
        return [self.records[name] for name in sorted(self.records)]

    def get(self, name: str) -> ModelRecord | None:
        return self.records.get(name)

    def put(self, record: ModelRecord, /) -> None:
        self.records[record.name] = record

    def put_all(self, records: Sequence[ModelRecord], /) -> None:
        for record in records:
            self.put(record)

    def delete(self, name: str) -> None:
        self.records.pop(name, None)
