"""Downloads, so that they outlive the program; `model_manager.downloads` knows what is in a plan."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from storage.database import Database, now_text
from storage.records import StoredDownload
from storage.rows import to_json

log = logging.getLogger(__name__)


class Downloads:
    """Downloads by id, in the order of their queue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[StoredDownload]:
        """All downloads, in the order in which they were added, or were put since.

        One whose plan cannot be read is left out, and `verify` tells it.
        """
        found = []
        for row in self._database.query("SELECT * FROM downloads ORDER BY position, id"):
            try:
                found.append(_download_of(row))
            except (ValueError, RecursionError):
                log.info("the plan of the download %d cannot be read from its row", row["id"])
        return found

    def add(self, ref: str, name: str, plan: Mapping[str, Any]) -> StoredDownload:
        """A new download, queued, behind all others."""
        now = now_text()
        with self._database.transaction():
            download_id = self._database.execute(
                "INSERT INTO downloads (ref, name, status, plan, added_at, updated_at, position)"
                " SELECT ?, ?, 'queued', ?, ?, ?, coalesce(max(position), 0) + 1 FROM downloads",
                [ref, name, to_json(plan), now, now],
            )
            rows = self._database.query("SELECT * FROM downloads WHERE id = ?", [download_id])
        return _download_of(rows[0])

    def update(
        self,
        download_id: int,
        *,
        status: str | None = None,
        plan: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Change what is given and leave the rest; an error belongs to its status and goes with it.

        Nothing happens when the download is gone: its thread may report a last time after a person removed
        it.
        """
        with self._database.transaction():
            self._database.execute(
                """
                UPDATE downloads SET
                    status = coalesce(:status, status),
                    plan = coalesce(:plan, plan),
                    error = CASE WHEN :status IS NULL THEN coalesce(:error, error) ELSE :error END,
                    updated_at = :now
                WHERE id = :id
                """,
                {
                    "id": download_id,
                    "status": status,
                    "plan": None if plan is None else to_json(plan),
                    "error": error,
                    "now": now_text(),
                },
            )

    def reorder(self, download_ids: Sequence[int]) -> None:
        """Put downloads into this order; those that are not named keep their place number."""
        with self._database.transaction():
            for position, download_id in enumerate(download_ids, start=1):
                self._database.execute(
                    "UPDATE downloads SET position = ? WHERE id = ?", [position, download_id]
                )

    def delete(self, download_id: int) -> None:
        """Forget a download; nothing happens where there is none."""
        with self._database.transaction():
            self._database.execute("DELETE FROM downloads WHERE id = ?", [download_id])


def _download_of(row: sqlite3.Row) -> StoredDownload:
    return StoredDownload(
        id=row["id"],
        ref=row["ref"],
        name=row["name"],
        status=row["status"],
        plan=_mapping(row["plan"]),
        error=row["error"],
    )


def _mapping(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
