"""The database's side: files a carried conversation away, and makes one of what is stored.

A conversation that came before is found by its origin, and only messages that are new are added, below
those that they follow; what a person has changed here meanwhile stays. Ours have no origin in the file
that they come from: its names are made of their content, so the same conversation has the same names
everywhere.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from storage.database import Database, now_text, storable
from storage.exchange.carried import Carried, CarriedMessage, CarriedTrace
from storage.exchange.foreign import moment
from storage.exchange.naming import Names, is_ours, moment_text, own_origin
from storage.knowledge.citations import Citations
from storage.parts import Parts
from storage.records import Generation, Part
from storage.rows import (
    GENERATION_COLUMNS,
    SELECT_CONVERSATIONS,
    conversation_of,
    generation_of,
    generation_values,
    to_json,
)
from storage.search import Search
from storage.shelf import Shelf
from storage.streams import Streams
from storage.traces import Traces


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of a conversation.

    Attributes:
        outcome: "new", "grown" (it was here, and has more messages now), or "known" (nothing to add).
        n_messages: That were added.
    """

    outcome: Literal["new", "grown", "known"]
    conversation_id: int
    n_messages: int
    n_traces_lost: int = 0


class Filing:
    """Takes and gives carried conversations."""

    def __init__(self, database: Database, search: Search) -> None:
        self._database = database
        self._search = search
        self._parts = Parts(database)
        self._citations = Citations(database)
        self._shelf = Shelf(database)
        self._streams = Streams(database)
        self._traces = Traces(database)

    def preview(self, carried: Carried) -> Filed:
        """What `file` would do."""
        return self._look(carried)[0]

    def file(self, carried: Carried) -> Filed:
        """Store what is not here yet, all of it or nothing.

        It survives the end of the program; call `settle` after the last one for a loss of power.
        """
        with self._database.transaction(durable=False):
            found, known = self._look(carried)
            if found.outcome == "known":
                return found
            conversation_id = found.conversation_id or self._insert_conversation(carried)
            n_lost = self._insert_messages(conversation_id, carried, known)
            self._set_head(conversation_id, carried, is_new=found.outcome == "new")
        return Filed(found.outcome, conversation_id, found.n_messages, n_lost)

    def settle(self) -> None:
        """Make everything that was filed durable."""
        with self._database.transaction():
            pass

    def ids(self) -> list[int]:
        """All conversations but those in the trash, the oldest first."""
        rows = self._database.query("SELECT id FROM conversations WHERE deleted_at IS NULL ORDER BY id")
        return [row["id"] for row in rows]

    def carried(self, conversation_id: int) -> Carried | None:
        """A stored conversation with all its branches; None where it is gone."""
        rows = self._database.query(f"{SELECT_CONVERSATIONS} WHERE conversations.id = ?", [conversation_id])
        if not rows:
            return None
        stored = conversation_of(rows[0])
        messages, names = self._read_messages(conversation_id)
        more: dict[str, Any] = {"is_pinned": True} if stored.is_pinned else {}
        if stored.archived_at is not None:
            more["archived_at"] = moment_text(stored.archived_at)
        return Carried(
            origin=_origin_of(rows[0], messages),
            title=stored.title,
            messages=tuple(messages),
            head_key=None if stored.head_id is None else names[stored.head_id],
            created_at=stored.created_at,
            updated_at=stored.updated_at,
            model_name=stored.model_name,
            system_prompt=stored.system_prompt,
            sampling=stored.sampling,
            title_is_automatic=stored.title_is_automatic,
            folder=tuple(stored.folder.split("/")) if stored.folder else (),
            tags=stored.tags,
            more=more,
        )

    # Finding what came before

    def _look(self, carried: Carried) -> tuple[Filed, dict[str, int]]:
        """What there is to do, and the ids of the messages that are here already, by key."""
        found = self._find_ours(carried) if is_ours(carried.origin) else self._find_foreign(carried)
        if found is None:
            return Filed("new", 0, len(carried.messages)), {}
        conversation_id, known = found
        n_new = sum(message.key not in known for message in carried.messages)
        return Filed("grown" if n_new else "known", conversation_id, n_new), known

    def _find_foreign(self, carried: Carried) -> tuple[int, dict[str, int]] | None:
        rows = self._database.query("SELECT conversation_id FROM origins WHERE origin = ?", [carried.origin])
        if not rows:
            return None
        conversation_id = int(rows[0]["conversation_id"])
        keys = self._database.query(
            "SELECT key, message_id FROM message_origins JOIN messages ON messages.id = message_id"
            " WHERE conversation_id = ?",
            [conversation_id],
        )
        return conversation_id, {row["key"]: row["message_id"] for row in keys}

    def _find_ours(self, carried: Carried) -> tuple[int, dict[str, int]] | None:
        if carried.created_at is None:
            return None
        for row in self._database.query(
            "SELECT id, created_at FROM conversations WHERE created_at = ?", [moment_text(carried.created_at)]
        ):
            messages, names = self._read_messages(row["id"], whole=False)
            if _origin_of(row, messages) == carried.origin:
                return int(row["id"]), {key: message_id for message_id, key in names.items()}
        return None

    # Writing, inside a transaction

    def _insert_conversation(self, carried: Carried) -> int:
        moments = [message.created_at for message in carried.messages if message.created_at]
        created_at = carried.created_at or min(moments, default=datetime.now(UTC))
        updated_at = carried.updated_at or max([created_at, *moments])
        archived_at = moment(carried.more.get("archived_at"))
        if archived_at is None and carried.more.get("is_archived") is True:
            archived_at = updated_at
        conversation_id = self._database.execute(
            "INSERT INTO conversations (title, title_is_automatic, created_at, updated_at, model_name,"
            " system_prompt, sampling, is_pinned, archived_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                carried.title,
                carried.title_is_automatic if is_ours(carried.origin) else not carried.title,
                moment_text(created_at),
                moment_text(updated_at),
                carried.model_name,
                carried.system_prompt,
                to_json(carried.sampling),
                carried.more.get("is_pinned") is True,
                None if archived_at is None else moment_text(archived_at),
            ],
        )
        self._search.name(conversation_id, storable(carried.title))
        self._shelf.place(conversation_id, "/".join(map(_folder_name, carried.folder)), carried.tags)
        if not is_ours(carried.origin):
            self._database.execute(
                "INSERT INTO origins (conversation_id, origin, imported_at) VALUES (?, ?, ?)",
                [conversation_id, carried.origin, now_text()],
            )
        return conversation_id

    def _insert_messages(self, conversation_id: int, carried: Carried, known: Mapping[str, int]) -> int:
        """Add those that are not known; returns how many traces could not be kept."""
        ids = dict(known)
        before = carried.created_at or datetime.now(UTC)
        n_lost = 0
        for message in carried.messages:
            if message.key in ids:
                continue
            before = message.created_at or before
            parent_id = ids[message.parent_key] if message.parent_key is not None else None
            message_id = self._database.execute(
                "INSERT INTO messages (conversation_id, parent_id, role, status, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                [conversation_id, parent_id, message.role, message.status, moment_text(before)],
            )
            ids[message.key] = message_id
            self._parts.insert(message_id, message.parts)
            self._citations.insert(message_id, message.citations)
            if message.generation is not None:
                self._insert_generation(message_id, message, before)
            traces = {trace.kind: trace for trace in message.traces}
            n_lost += sum(not self._insert_trace(message_id, trace) for trace in traces.values())
            self._insert_rating(message_id, message, before)
            if not is_ours(carried.origin):
                self._database.execute(
                    "INSERT INTO message_origins (message_id, key) VALUES (?, ?)", [message_id, message.key]
                )
        return n_lost

    def _insert_generation(self, message_id: int, message: CarriedMessage, created_at: datetime) -> None:
        assert message.generation is not None
        columns = ["message_id", *GENERATION_COLUMNS, "started_at", "ended_at"]
        ended_at = message.ended_at
        self._database.execute(
            f"INSERT INTO generations ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [
                message_id,
                *generation_values(message.generation),
                moment_text(message.started_at or created_at),
                None if ended_at is None else moment_text(ended_at),
            ],
        )

    def _insert_rating(self, message_id: int, message: CarriedMessage, created_at: datetime) -> None:
        rating = message.more.get("rating")
        if message.role == "assistant" and rating in (1, -1):
            rated_at = moment(message.more.get("rated_at")) or message.ended_at or created_at
            self._database.execute(
                "INSERT INTO ratings (message_id, rating, rated_at) VALUES (?, ?, ?)",
                [message_id, rating, moment_text(rated_at)],
            )

    def _insert_trace(self, message_id: int, trace: CarriedTrace) -> bool:
        try:
            self._traces.insert(message_id, trace.kind, trace.dtype, trace.shape, trace.data)
        except ValueError:
            return False
        return True

    def _set_head(self, conversation_id: int, carried: Carried, *, is_new: bool) -> None:
        """Show what was shown there; where a person has gone on here, what they see stays."""
        rows = self._database.query(
            "SELECT id, parent_id FROM messages WHERE conversation_id = ?", [conversation_id]
        )
        if not rows:
            return
        (head_id,) = self._database.query(
            "SELECT head_id FROM conversations WHERE id = ?", [conversation_id]
        )[0]
        if is_new:
            ids = sorted(row["id"] for row in rows)
            by_key = dict(zip((message.key for message in carried.messages), ids, strict=True))
            head_id = by_key.get(carried.head_key or "", ids[-1])
        children: dict[int | None, list[int]] = {}
        for row in rows:
            children.setdefault(row["parent_id"], []).append(row["id"])
        while head_id in children:
            head_id = max(children[head_id])
        updated_at = moment_text(carried.updated_at) if carried.updated_at else ""
        self._database.execute(
            "UPDATE conversations SET head_id = ?, updated_at = max(updated_at, ?) WHERE id = ?",
            [head_id, updated_at, conversation_id],
        )

    # Reading

    def _read_messages(
        self, conversation_id: int, *, whole: bool = True
    ) -> tuple[list[CarriedMessage], dict[int, str]]:
        """The messages in the order of their ids, and their keys.

        Args:
            conversation_id: Whose.
            whole: With the bytes of files, traces and how they were made, which no key depends on.
        """
        generations = self._by_message("generations", conversation_id) if whole else {}
        traces = self._by_message("traces", conversation_id) if whole else {}
        ratings = self._by_message("ratings", conversation_id) if whole else {}
        rows = self._database.query(
            "SELECT * FROM messages WHERE conversation_id = ? ORDER BY id", [conversation_id]
        )
        ids = [row["id"] for row in rows]
        parts = self._parts.of(ids)
        attached = self._parts.attachments(ids) if whole else {}
        citations = self._citations.of(ids) if whole else {}
        messages: list[CarriedMessage] = []
        keys: dict[int, str] = {}
        names = Names()
        for row in rows:
            message_id = row["id"]
            is_streaming = row["status"] == "streaming"
            said = self._streams.read(message_id) if is_streaming else tuple(parts.get(message_id, ()))
            parent_key = None if row["parent_id"] is None else keys[row["parent_id"]]
            key = names.name(parent_key, row["role"], row["created_at"], said)
            keys[message_id] = key
            made = generations.get(message_id, [None])[0]
            messages.append(
                CarriedMessage(
                    key=key,
                    parent_key=parent_key,
                    role=row["role"],
                    parts=_with_bytes(said, attached.get(message_id, ())),
                    created_at=datetime.fromisoformat(row["created_at"]),
                    status="interrupted" if is_streaming else row["status"],
                    generation=_generation(made),
                    started_at=_moment(made, "started_at"),
                    ended_at=_moment(made, "ended_at"),
                    citations=citations.get(message_id, ()),
                    traces=tuple(_trace(trace) for trace in traces.get(message_id, ())),
                    more={
                        name: row[name]
                        for row in ratings.get(message_id, ())
                        for name in ("rating", "rated_at")
                    },
                )
            )
        return messages, keys

    def _by_message(self, table: str, conversation_id: int) -> dict[int, list[sqlite3.Row]]:
        found: dict[int, list[sqlite3.Row]] = {}
        for row in self._database.query(
            f"SELECT {table}.* FROM {table} JOIN messages ON messages.id = message_id"
            f" WHERE conversation_id = ? ORDER BY {table}.rowid",
            [conversation_id],
        ):
            found.setdefault(row["message_id"], []).append(row)
        return found


def _origin_of(row: sqlite3.Row, messages: list[CarriedMessage]) -> str:
    return own_origin(row["created_at"], messages[0].key if messages else None)


def _folder_name(name: str) -> str:
    """Elsewhere a name may have a slash; here it parts names."""
    return name.replace("/", "-")


def _with_bytes(parts: tuple[Part, ...], attached: tuple[Part, ...]) -> tuple[Part, ...]:
    """The same parts, the images and files among them whole."""
    whole = iter(attached)
    return tuple(next(whole, part) if part.kind in ("image", "file") else part for part in parts)


def _generation(row: sqlite3.Row | None) -> Generation | None:
    return None if row is None else generation_of([row[name] for name in GENERATION_COLUMNS])


def _trace(row: sqlite3.Row) -> CarriedTrace:
    return CarriedTrace(row["kind"], row["dtype"], tuple(json.loads(row["shape"])), row["data"])


def _moment(row: sqlite3.Row | None, column: str) -> datetime | None:
    return None if row is None or row[column] is None else datetime.fromisoformat(row[column])
