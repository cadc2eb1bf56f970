"""How fast models have answered, as measured while they did."""

from __future__ import annotations

import statistics
from typing import Final

from storage.database import Database
from storage.records import Speed

LONG_ENOUGH_TOKENS: Final = 24
"""Shorter answers say little about speed."""
NEWEST: Final = 20


class Speeds:
    """Speeds by model."""

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
