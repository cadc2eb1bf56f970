"""What the manager of downloads asks of whoever keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class DownloadRow(Protocol):
    """A row of the store; `types.DownloadRecord` and `storage.records.StoredDownload` are such."""

    @property
    def id(self) -> int:
        """Given by the store."""

    @property
    def ref(self) -> str:
        """As typed."""

    @property
    def name(self) -> str:
        """As added."""

    @property
    def status(self) -> str:
        """A `DownloadStatus`."""

    @property
    def plan(self) -> Mapping[str, Any]:
        """As `Downloads` wrote it."""

    @property
    def error(self) -> str | None:
        """Why it failed, as `failures` wrote it."""


class DownloadStore(Protocol):
    """Where downloads are kept. Called from any thread."""

    def list(self) -> Sequence[DownloadRow]:
        """All rows, in the order of the queue."""

    def add(self, ref: str, name: str, plan: Mapping[str, Any]) -> DownloadRow:
        """A new row with status "queued", at the end."""

    def update(
        self,
        download_id: int,
        *,
        status: str | None = None,
        plan: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> object:
        """Change what is not None; an empty `error` clears it."""

    def reorder(self, download_ids: Sequence[int]) -> object:
        """Put rows into this order."""

    def delete(self, download_id: int) -> object:
        """Forget a row."""
