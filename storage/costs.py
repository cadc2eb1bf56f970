"""What answers took: tokens and time, by model."""

from __future__ import annotations

from storage.database import Database
from storage.records import Cost


class Costs:
    """Sums over answers; those in the trash count, as they were made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_model(self, conversation_id: int | None = None) -> list[Cost]:
        """One sum a model, the most answers first.

        Args:
            conversation_id: Of this conversation alone; None is all.

        What a crash cut off has tokens that nobody counted: it counts as an answer and for nothing else.
        """
        rows = self._database.query(
            "SELECT model_name, count(*) AS n_answers,"
            " coalesce(sum(prompt_tokens), 0) AS prompt_tokens,"
            " coalesce(sum(cached_tokens), 0) AS cached_tokens,"
            " coalesce(sum(completion_tokens), 0) AS completion_tokens,"
            " coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,"
            # A clock that went back in the meantime takes nothing off.
            " coalesce(sum(max(0, (julianday(ended_at) - julianday(started_at)) * 86400)), 0) AS duration_s,"
            " sum(energy_j) AS energy_j"
            " FROM generations JOIN messages ON messages.id = message_id"
            " WHERE :conversation_id IS NULL OR conversation_id = :conversation_id"
            " GROUP BY model_name ORDER BY n_answers DESC, model_name",
            {"conversation_id": conversation_id},
        )
        return [Cost(**dict(row)) for row in rows]
