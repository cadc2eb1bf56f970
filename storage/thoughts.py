"""What models thought before they answered, as rows that can be filtered and sorted."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from storage.database import Database
from storage.filters import of_conversations, of_messages
from storage.records import Filter, Thought, ThoughtOrder

_ORDERS: Final[dict[ThoughtOrder, str]] = {
    "newest": "messages.id",
    "tokens": "generations.reasoning_tokens",
    "time": "generations.reasoning_ms",
    "rate": "generations.reasoning_tokens / nullif(generations.reasoning_ms, 0)",
    "share": "1.0 * generations.reasoning_tokens / nullif(generations.completion_tokens, 0)",
}
_ALL: Final = Filter()


class Thoughts:
    """The reasoning of all answers, without its text: `Conversations.message` has that."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self,
        where: Filter = _ALL,
        order: ThoughtOrder = "newest",
        limit: int | None = None,
        *,
        ended_by: str | None = None,
        effort: str | None = None,
        min_tokens: int = 1,
    ) -> list[Thought]:
        """Those that are meant, the largest first.

        Args:
            where: Whose; its `part` and `role` do not matter.
            order: By what; those that do not have it come last.
            limit: How many at most; None is all.
            ended_by: What ended the thinking, see `Generation`; None does not matter.
            effort: How hard the model was asked to think; None does not matter.
            min_tokens: Shorter ones are left out.
        """
        conditions, parameters = of_conversations(where)
        of_message, more = of_messages(where)
        conditions += [*of_message, "generations.reasoning_tokens >= :min_tokens"]
        parameters |= more | {"min_tokens": min_tokens, "limit": -1 if limit is None else limit}
        if ended_by is not None:
            conditions.append("generations.thinking_ended_by = :ended_by")
            parameters["ended_by"] = ended_by
        if effort is not None:
            conditions.append("generations.effort = :effort")
            parameters["effort"] = effort
        rows = self._database.query(
            "SELECT messages.id AS message_id, messages.conversation_id, conversations.title,"
            " messages.created_at, generations.model_name, generations.reasoning_tokens,"
            " generations.completion_tokens, generations.reasoning_ms, generations.think_budget_tokens,"
            " generations.thinking_ended_by, generations.effort"
            " FROM generations JOIN messages ON messages.id = generations.message_id"
            " JOIN conversations ON conversations.id = messages.conversation_id"
            f" WHERE {' AND '.join(conditions)}"
            f" ORDER BY {_ORDERS[order]} DESC NULLS LAST, messages.id DESC LIMIT :limit",
            parameters,
        )
        return [
            Thought(**{**dict(row), "created_at": datetime.fromisoformat(row["created_at"])}) for row in rows
        ]
