"""How fast models have answered, as measured while they did, and when they were last used."""

from __future__ import annotations

import statistics
from datetime import datetime
from typing import Final

from storage.database import Database, now_text
from storage.records import Speed

LONG_ENOUGH_TOKENS: Final = 24
"""Shorter answers say little about speed."""
NEWEST: Final = 20


_MODEL_NAMES: Final = """
    WITH RECURSIVE names (model_name) AS (
        SELECT min(model_name) FROM generations
        UNION ALL
        SELECT (SELECT min(model_name) FROM generations WHERE model_name > names.model_name)
        FROM names WHERE names.model_name IS NOT NULL
    )
    SELECT model_name FROM names WHERE model_name IS NOT NULL
"""
"""From one name to the next in the index: DISTINCT would walk through every answer there is."""


class Speeds:
    """Speeds and uses by model."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, model_name: str) -> Speed | None:
        """The medians of a model's newest answers; None while there is none that says anything."""
        rows = self._database.query(
            "SELECT decode_tokens_per_s, prefill_tokens_per_s FROM generations"
            " WHERE model_name = ? AND decode_tokens_per_s IS NOT NULL AND completion_tokens >= ?"
            " ORDER BY message_id DESC LIMIT ?",
            [model_name, LONG_ENOUGH_TOKENS, NEWEST],
        )
        if not rows:
            return None
        prefills = [row["prefill_tokens_per_s"] for row in rows if row["prefill_tokens_per_s"] is not None]
        return Speed(
            decode_tokens_per_s=statistics.median(row["decode_tokens_per_s"] for row in rows),
            prefill_tokens_per_s=statistics.median(prefills) if prefills else None,
            n_answers=len(rows),
        )

    def all(self) -> dict[str, Speed]:
        """Of every model that has one."""
        speeds = {name: self.of(name) for name in self.names()}
        return {name: speed for name, speed in speeds.items() if speed is not None}

    def names(self) -> list[str]:
        """Every model that wrote an answer, whatever became of it since."""
        return [row["model_name"] for row in self._database.query(_MODEL_NAMES)]

    def mark_used(self, model_name: str) -> None:
        """Note that a model is used now. After a loss of power the last such note may be missing."""
        with self._database.transaction(durable=False):
            self._database.execute(
                "INSERT INTO model_uses (model_name, used_at) VALUES (?, ?)"
                " ON CONFLICT (model_name) DO UPDATE SET used_at = excluded.used_at",
                [model_name, now_text()],
            )

    def uses(self) -> dict[str, datetime]:
        """When each model was last used; absent where it never was."""
        rows = self._database.query("SELECT model_name, used_at FROM model_uses")
        return {row["model_name"]: datetime.fromisoformat(row["used_at"]) for row in rows}
