"""Finds words in questions, answers, reasoning, tool calls, titles and files.

By default the newest comes first, which needs no ranking: the index is read backwards until there is enough.
By relevance, only the newest `N_CANDIDATES` are compared, since ranking a common word over everything would
read everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

from storage.filters import of_conversations, of_messages
from storage.ranking import ranked
from storage.records import Filter, SearchHit
from storage.rows import to_json
from storage.snippets import snippet
from storage.terms import Term, terms_of
from storage.word_index import SAID, WordIndex

Order = Literal["newest", "relevance"]

N_CANDIDATES: Final = 400
"""Among so many of the newest that match, the best are looked for."""
N_RANGES: Final = 60
"""A filter that leaves so few conversations, or answers, is looked up one by one."""
N_NAMES: Final = 5
"""Titles, and names of files, that stand before everything else where not only they are looked for."""

ANYWHERE: Final = Filter()
"""Everything but the trash."""

_PARTS: Final = f"""
    SELECT parts.message_id, parts.position, parts.kind AS part, {SAID} AS text, messages.conversation_id,
        messages.created_at, conversations.title
    FROM search CROSS JOIN parts ON parts.id = search.rowid
    CROSS JOIN messages ON messages.id = parts.message_id
    CROSS JOIN conversations ON conversations.id = messages.conversation_id
    WHERE search MATCH :expression AND {{conditions}}
    ORDER BY search.rowid DESC LIMIT :limit
"""
# One look into the index a range; the few that are found are sorted afterwards.
_PARTS_IN_RANGES: Final = _PARTS.replace(
    "FROM search CROSS JOIN",
    "FROM json_each(:ranges) AS found CROSS JOIN search"
    " ON search.rowid BETWEEN found.value ->> 0 AND found.value ->> 1 CROSS JOIN",
)
_TITLES: Final = """
    SELECT conversations.head_id AS message_id, 0 AS position, 'title' AS part, conversations.title AS text,
        conversations.id AS conversation_id, conversations.updated_at AS created_at, conversations.title
    FROM search_titles CROSS JOIN conversations ON conversations.id = search_titles.rowid
    WHERE search_titles MATCH :expression AND conversations.head_id IS NOT NULL AND {conditions}
    ORDER BY conversations.updated_at DESC, conversations.id DESC LIMIT :limit
"""
_FILES: Final = """
    SELECT parts.message_id, 0 AS position, 'file' AS part, parts.name AS text, messages.conversation_id,
        messages.created_at, conversations.title
    FROM search_files CROSS JOIN parts ON parts.id = search_files.rowid
    CROSS JOIN messages ON messages.id = parts.message_id
    CROSS JOIN conversations ON conversations.id = messages.conversation_id
    WHERE search_files MATCH :expression AND {conditions}
    ORDER BY search_files.rowid DESC LIMIT :limit
"""
_OF_MESSAGES: Final = (
    "{0} CROSS JOIN messages ON messages.id = {0}.message_id AND {0}.{1}"
    " CROSS JOIN conversations ON conversations.id = messages.conversation_id"
)


class Search(WordIndex):
    """Full-text search over everything that is finished or was interrupted, and not in the trash."""

    def find(
        self, text: str, where: Filter = ANYWHERE, *, limit: int = 50, order: Order = "newest"
    ) -> list[SearchHit]:
        """What contains every word of `text`: titles first, names of files, then what was said.

        Words are compared without case and accents; what stands in double quotes, or is joined by punctuation
        (`get_logits_ith`), must stand so in the text; Chinese, Japanese and Korean match anywhere. The last
        word may be unfinished. No text raises; one without a letter or digit finds nothing.

        Args:
            text: As typed.
            where: Only there.
            limit: At most so many.
            order: "newest" first, or by "relevance" among the newest that match.
        """
        terms = terms_of(text)
        if not terms or limit <= 0:
            return []
        expression = " AND ".join(term.expression for term in terms)
        found = self._names(expression, where, limit)
        if where.part != "title" and len(found) < limit:
            found += self._said(expression, terms, where, limit - len(found), order)
        with self._database.sound():
            return [
                SearchHit(
                    conversation_id=row["conversation_id"],
                    message_id=row["message_id"],
                    part=row["part"],
                    snippet=snippet(row["text"], terms),
                    title=row["title"],
                    created_at=datetime.fromisoformat(row["created_at"]),
                )
                for row in found
            ]

    def _names(self, expression: str, where: Filter, limit: int) -> list[Any]:
        found: list[Any] = []
        is_of_messages = where.role is not None or where.rating is not None or where.model is not None
        if where.part == "title" or (where.part is None and not is_of_messages):
            n_titles = limit if where.part == "title" else min(limit, N_NAMES)
            # A title is as old as its conversation's newest message.
            conditions, parameters = of_conversations(where)
            dates, more = of_messages(Filter(since=where.since, until=where.until))
            conditions += [date.replace("messages.created_at", "conversations.updated_at") for date in dates]
            found += self._rows(_TITLES, expression, conditions, parameters | more, n_titles)
        if where.part in (None, "file") and len(found) < limit:
            n_files = limit if where.part == "file" else min(limit - len(found), N_NAMES)
            found += self._rows(_FILES, expression, *_of_both(where), n_files)
        return found

    def _said(
        self, expression: str, terms: Sequence[Term], where: Filter, limit: int, order: Order
    ) -> list[Any]:
        conditions, parameters = _of_both(where)
        if where.part is not None:
            column = "reasoning" if where.part == "reasoning" else "text"
            expression = f"{{{column}}} : ({expression})"
            conditions.append("parts.kind = :part")
            parameters["part"] = where.part
        n_wanted = limit if order == "newest" else max(limit, N_CANDIDATES)
        query, ranges = _PARTS, self._ranges(where)
        if ranges is not None:
            query = _PARTS_IN_RANGES
            parameters["ranges"] = to_json(ranges)
        rows = self._rows(query, expression, conditions, parameters, n_wanted)
        if order == "relevance":
            return ranked(rows, terms)[:limit]
        # What a message thought stands before what it said.
        return sorted(rows, key=lambda row: (-row["message_id"], row["position"]))

    def _ranges(self, where: Filter) -> list[tuple[int, int]] | None:
        """Where in the index the few rows lie that a filter leaves; None where it may leave many.

        Without this a common word would be looked at in every message, to find the few that count.
        """
        of_conversation, parameters = of_conversations(where)
        parameters |= {"rating": where.rating, "model": where.model}
        sources: list[tuple[str, str]] = []
        if where.rating is not None:
            sources.append(("messages.id", _OF_MESSAGES.format("ratings", "rating = :rating")))
        if where.tags or where.folder or where.is_pinned or where.conversation_id is not None:
            sources.append(("conversations.id", "conversations"))
        if where.model is not None:
            sources.append(("messages.id", _OF_MESSAGES.format("generations", "model_name = :model")))
        wanted = f"WHERE {' AND '.join(of_conversation)} LIMIT {N_RANGES + 1}"
        for key, source in sources:
            found = self._database.query(f"SELECT {key} AS id FROM {source} {wanted}", parameters)
            if len(found) <= N_RANGES:
                break
        else:
            return None
        column = "messages.id" if key == "messages.id" else "messages.conversation_id"
        ranges = []
        for row in found:
            ((low, high),) = self._database.query(
                "SELECT min(parts.id), max(parts.id) FROM messages"
                f" JOIN parts ON parts.message_id = messages.id WHERE {column} = ?",
                [row["id"]],
            )
            if low is not None:
                ranges.append((int(low), int(high)))
        return _merged(ranges)

    def _rows(
        self, query: str, expression: str, conditions: list[str], parameters: dict[str, Any], limit: int
    ) -> list[Any]:
        return self._database.query(
            query.format(conditions=" AND ".join(conditions)),
            parameters | {"expression": expression, "limit": limit},
        )


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers in ranges that do not overlap: nothing may be found twice."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _of_both(where: Filter) -> tuple[list[str], dict[str, Any]]:
    conditions, parameters = of_conversations(where)
    of_message, more = of_messages(where)
    return conditions + of_message, parameters | more
