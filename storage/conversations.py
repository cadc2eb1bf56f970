"""Conversations: append-only trees of messages.

An edit or a second answer is a new message beside the old one, never a change to it. Two things change: which
message a conversation shows (its head), and a row that is still `streaming`. A message's id is larger than
its parent's, so the newest message below another is always a leaf.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Final

from storage.database import Database, now_text
from storage.errors import DatabaseCorrupt, NoSuchConversation, NoSuchMessage
from storage.filters import of_list
from storage.knowledge.citations import Citations
from storage.knowledge.passage_index import PassageIndex
from storage.knowledge.records import Citation
from storage.parts import Parts
from storage.records import Conversation, Filter, Generation, Message, MessageStatus, Part, Role
from storage.repair import repair
from storage.rows import (
    GENERATION_COLUMNS,
    SELECT_CONVERSATIONS,
    conversation_of,
    generation_values,
    to_json,
)
from storage.search import Search
from storage.streams import Streams
from storage.traces import Traces
from storage.trees import Trees
from storage.verification import problems

LISTED: Final = Filter(is_archived=False)
"""What a list shows where nothing else is asked for: neither the archive nor the trash."""
_ORDER: Final = "conversations.is_pinned, conversations.updated_at, conversations.id"
"""Of lists, downwards; the index `conversations_listed` has it."""


class Conversations:
    """All conversations and their messages."""

    def __init__(self, database: Database, search: Search) -> None:
        self._database = database
        self._search = search
        self._parts = Parts(database)
        self._citations = Citations(database)
        self._streams = Streams(database)
        self._trees = Trees(database, self._streams)

    # Conversations

    def create(
        self,
        *,
        title: str = "",
        model_name: str | None = None,
        system_prompt: str = "",
        sampling: Mapping[str, Any] | None = None,
    ) -> Conversation:
        """A new conversation without messages.

        Args:
            title: Given by a person; when empty, the title is an automatic one that has not been made yet.
            model_name: Entry of the library; None means the one in use.
            system_prompt: Instruction that precedes all messages; kept here and not as a message.
            sampling: Overrides of the defaults, by parameter name.
        """
        now = now_text()
        with self._database.transaction():
            conversation_id = self._database.execute(
                "INSERT INTO conversations (title, title_is_automatic, created_at, updated_at, model_name,"
                " system_prompt, sampling) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [title, title == "", now, now, model_name, system_prompt, to_json(sampling or {})],
            )
            self._search.name(conversation_id, title)
        return self.get(conversation_id)

    def get(self, conversation_id: int) -> Conversation:
        """One conversation, also one in the trash.

        Raises:
            NoSuchConversation: It was never there, or is deleted.
        """
        rows = self._database.query(f"{SELECT_CONVERSATIONS} WHERE conversations.id = ?", [conversation_id])
        if not rows:
            raise NoSuchConversation(conversation_id)
        with self._database.sound():
            return conversation_of(rows[0])

    def list(
        self, limit: int | None = None, where: Filter = LISTED, *, after: int | None = None
    ) -> list[Conversation]:
        """Conversations: those that are pinned, then the others, the one with the newest message first.

        Args:
            limit: At most so many; None is all.
            where: Only these.
            after: Id of the one that the list goes on below, however many stand before it; None begins it.
        """
        condition, parameters = of_list(where)
        if after is not None:
            condition += f" AND ({_ORDER}) < (SELECT {_ORDER} FROM conversations WHERE id = :after)"
            parameters["after"] = after
        rows = self._database.query(
            f"{SELECT_CONVERSATIONS} WHERE {condition} ORDER BY {_ORDER.replace(',', ' DESC,')} DESC"
            " LIMIT :limit",
            parameters | {"limit": -1 if limit is None else limit},
        )
        with self._database.sound():
            return [conversation_of(row) for row in rows]

    def rename(self, conversation_id: int, title: str, *, automatic: bool = False) -> Conversation:
        """Give a title; an automatic one is ignored where a person has given theirs."""
        with self._database.transaction():
            conversation = self.get(conversation_id)
            if automatic and not conversation.title_is_automatic:
                return conversation
            self._database.execute(
                "UPDATE conversations SET title = ?, title_is_automatic = ? WHERE id = ?",
                [title, automatic, conversation_id],
            )
            self._search.name(conversation_id, title)
        return self.get(conversation_id)

    def configure(
        self, conversation_id: int, *, system_prompt: str, sampling: Mapping[str, Any], model_name: str | None
    ) -> Conversation:
        """Set what applies to all answers from now on; see `create`."""
        with self._database.transaction():
            self.get(conversation_id)
            self._database.execute(
                "UPDATE conversations SET system_prompt = ?, sampling = ?, model_name = ? WHERE id = ?",
                [system_prompt, to_json(sampling), model_name, conversation_id],
            )
        return self.get(conversation_id)

    # Writing messages

    def append(
        self,
        conversation_id: int,
        parent_id: int | None,
        role: Role,
        parts: Sequence[Part],
        *,
        status: MessageStatus = "complete",
        generation: Generation | None = None,
        citations: Sequence[Citation] = (),
    ) -> Message:
        """Add a finished message below `parent_id` and show it; on the disk when this returns.

        Args:
            conversation_id: Where.
            parent_id: None for a first message, or another version of it.
            role: Who says it.
            parts: What, in order.
            status: Anything but "streaming", which `start_answer` is for.
            generation: How it was made, for an answer.
            citations: Passages that it is sent with.

        Raises:
            NoSuchConversation: There is no such conversation.
            NoSuchMessage: `parent_id` is not a message of it.
        """
        if status == "streaming":
            raise ValueError("a message that streams is begun by start_answer")
        with self._database.transaction():
            message_id = self._insert(conversation_id, parent_id, role, status)
            if generation is not None:
                self._insert_generation(message_id, generation, ended_at=now_text())
            self._parts.insert(message_id, parts)
            self._citations.insert(message_id, citations)
        return self.message(message_id)

    def start_answer(self, conversation_id: int, parent_id: int | None, generation: Generation) -> Message:
        """Begin an answer, still without parts, and show it.

        Raises:
            NoSuchConversation: There is no such conversation.
            NoSuchMessage: `parent_id` is not a message of it.
        """
        with self._database.transaction(durable=False):
            message_id = self._insert(conversation_id, parent_id, "assistant", "streaming")
            self._insert_generation(message_id, generation, ended_at=None)
        return self.message(message_id)

    def flush_answer(
        self, message_id: int, parts: Sequence[Part], generation: Generation | None = None
    ) -> None:
        """Save an answer as far as it has come: cheap enough for twice a second, safe from kill -9.

        Args:
            message_id: From `start_answer`.
            parts: All of them from their beginning; only what is new is written.
            generation: Replaces what is known of how it is made.

        Raises:
            NoSuchMessage: Its conversation was deleted meanwhile.
        """
        try:
            with self._database.transaction(durable=False):
                self._require_streaming(message_id)
                self._streams.write(message_id, parts)
                if generation is not None:
                    self._update_generation(message_id, generation, ended_at=None)
        except BaseException:
            self._streams.forget(message_id)
            raise

    def finish_answer(
        self,
        message_id: int,
        parts: Sequence[Part],
        generation: Generation,
        status: MessageStatus = "complete",
    ) -> Message:
        """End an answer with these parts, which search then finds; on the disk when this returns.

        Raises:
            NoSuchMessage: Its conversation was deleted meanwhile.
        """
        if status == "streaming":
            raise ValueError("a finished answer does not stream")
        with self._database.transaction():
            self._require_streaming(message_id)
            self._update_generation(message_id, generation, ended_at=now_text())
            self._end_stream(message_id, parts, status)
            self._database.execute(
                "UPDATE conversations SET updated_at = ?"
                " WHERE id = (SELECT conversation_id FROM messages WHERE id = ?)",
                [now_text(), message_id],
            )
        return self.message(message_id)

    def mark_interrupted(self) -> int:
        """Turn every answer that still streams into an interrupted one with the text that was flushed.

        Only a program that has just become the owner of the data folder may call this.

        Returns:
            How many there were.
        """
        with self._database.transaction():
            rows = self._database.query("SELECT id FROM messages WHERE status = 'streaming'")
            for row in rows:
                self._end_stream(row["id"], self._streams.read(row["id"]), "interrupted")
        return len(rows)

    # Reading messages

    def message(self, message_id: int) -> Message:
        """One message.

        Raises:
            NoSuchMessage: It was never there, or its conversation is deleted.
        """
        return self._trees.message(message_id)

    def path(self, conversation_id: int) -> builtins.list[Message]:
        """The messages that are shown: from the first one to the head."""
        head_id = self.get(conversation_id).head_id
        return [] if head_id is None else self._trees.path_to(head_id)

    def tip(self, conversation_id: int, n_messages: int, since: int | None = None) -> builtins.list[Message]:
        """The last messages that are shown, up to the head; a long conversation takes no longer.

        Args:
            conversation_id: Whose.
            n_messages: At least so many, if there are.
            since: A message of the path that must be among them, or one beside it.
        """
        head_id = self.get(conversation_id).head_id
        return [] if head_id is None else self._trees.tip(head_id, n_messages, since)

    def path_to(self, message_id: int, n_messages: int | None = None) -> builtins.list[Message]:
        """The messages from the first one to this one, which is the last; or only the last few of them."""
        if n_messages is None:
            return self._trees.path_to(message_id)
        return self._trees.tip(message_id, n_messages)

    def select(self, conversation_id: int, message_id: int) -> Conversation:
        """Show this version: the head becomes the newest message below it, or itself.

        Raises:
            NoSuchMessage: It is not a message of this conversation.
        """
        with self._database.transaction():
            self._require_message(conversation_id, message_id)
            self._database.execute(
                """
                WITH RECURSIVE below (id) AS (
                    SELECT :message_id
                    UNION ALL
                    SELECT messages.id FROM messages JOIN below ON messages.parent_id = below.id
                )
                UPDATE conversations SET head_id = (SELECT max(id) FROM below) WHERE id = :conversation_id
                """,
                {"message_id": message_id, "conversation_id": conversation_id},
            )
        return self.get(conversation_id)

    def verify(self) -> builtins.list[str]:
        """Everything in the file that contradicts itself, found by deriving it again; empty is good. Slow."""
        damage = self._database.damage()
        if damage:
            return damage  # nothing that is read from a damaged file proves anything
        try:
            return [
                *problems(self._database),
                *self._search.problems(),
                *PassageIndex(self._database).problems(),
                *Traces(self._database).problems(),
            ]
        except DatabaseCorrupt as error:
            return [error.reason]

    def repair(self) -> builtins.list[str]:
        """Put right what has one right answer, without the search index; what it was, in technical words."""
        return repair(self._database)

    # Inside a transaction

    def _insert(self, conversation_id: int, parent_id: int | None, role: Role, status: MessageStatus) -> int:
        self.get(conversation_id)
        if parent_id is not None:
            self._require_message(conversation_id, parent_id)
        now = now_text()
        message_id = self._database.execute(
            "INSERT INTO messages (conversation_id, parent_id, role, status, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [conversation_id, parent_id, role, status, now],
        )
        # Who goes on with a conversation wants it back from the trash.
        self._database.execute(
            "UPDATE conversations SET head_id = ?, updated_at = ?, deleted_at = NULL WHERE id = ?",
            [message_id, now, conversation_id],
        )
        return message_id

    def _insert_generation(self, message_id: int, generation: Generation, *, ended_at: str | None) -> None:
        columns = ["message_id", *GENERATION_COLUMNS, "started_at", "ended_at"]
        self._database.execute(
            f"INSERT INTO generations ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [message_id, *generation_values(generation), now_text(), ended_at],
        )

    def _update_generation(self, message_id: int, generation: Generation, *, ended_at: str | None) -> None:
        assignments = ", ".join(f"{name} = ?" for name in (*GENERATION_COLUMNS, "ended_at"))
        self._database.execute(
            f"UPDATE generations SET {assignments} WHERE message_id = ?",
            [*generation_values(generation), ended_at, message_id],
        )

    def _end_stream(self, message_id: int, parts: Sequence[Part], status: MessageStatus) -> None:
        self._streams.clear(message_id)
        self._parts.insert(message_id, parts)
        self._database.execute("UPDATE messages SET status = ? WHERE id = ?", [status, message_id])

    def _require_message(self, conversation_id: int, message_id: int) -> None:
        self.get(conversation_id)
        if self._trees.conversation_id_of(message_id) != conversation_id:
            raise NoSuchMessage(message_id)

    def _require_streaming(self, message_id: int) -> None:
        rows = self._database.query("SELECT status FROM messages WHERE id = ?", [message_id])
        if not rows:
            raise NoSuchMessage(message_id)
        if rows[0]["status"] != "streaming":
            raise ValueError(f"message {message_id} is {rows[0]['status']} and cannot be changed")
