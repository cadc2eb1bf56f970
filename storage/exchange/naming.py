"""Names of our own conversations and messages, made of what they say.

A database has only numbers, which mean nothing in another one. A name made of a message's content and its
parent's name is the same wherever the message goes, so that what comes back finds itself. What can change
later (title, rating, the branch that is shown) is no part of a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from storage.database import storable
from storage.exchange.carried import Carried
from storage.exchange.foreign import digest
from storage.records import Part

PROGRAM = "coterie"


class Names:
    """Gives names to the messages of one conversation, in the order of their ids."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, parent_key: str | None, role: str, created_at: str, parts: Sequence[Part]) -> str:
        """The name of the next message; twice the same in one millisecond is still two messages.

        Images have no part in it: names that were given before they were parts shall stay.
        """
        said = [(part.kind, part.text) for part in parts if part.kind != "image"]
        key = digest(parent_key, role, created_at, said)
        unique = key
        number = 1
        while unique in self._taken:
            number += 1
            unique = f"{key}-{number}"
        self._taken.add(unique)
        return unique


def own_origin(created_at: str, first_key: str | None) -> str:
    """The name of a conversation: its beginning never changes."""
    return f"{PROGRAM}:{digest(created_at, first_key)}"


def is_ours(origin: str) -> bool:
    """Whether a conversation is named by its content."""
    return origin.startswith(f"{PROGRAM}:")


def moment_text(moment: datetime) -> str:
    """As the database writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def named_by_content(carried: Carried) -> Carried:
    """The same with the names that it will have here: those in a file may have been edited, or be missing."""
    moments = [message.created_at for message in carried.messages if message.created_at]
    created_at = carried.created_at or min(moments, default=datetime.fromtimestamp(0, UTC))
    before = created_at
    names = Names()
    keys: dict[str, str] = {}
    messages = []
    for message in carried.messages:
        before = message.created_at or before
        parts = tuple(_storable(part) for part in message.parts)
        parent_key = None if message.parent_key is None else keys[message.parent_key]
        key = names.name(parent_key, message.role, moment_text(before), parts)
        keys[message.key] = key
        messages.append(replace(message, key=key, parent_key=parent_key, parts=parts, created_at=before))
    return replace(
        carried,
        origin=own_origin(moment_text(created_at), messages[0].key if messages else None),
        messages=tuple(messages),
        head_key=keys.get(carried.head_key or ""),
        created_at=created_at,
    )


def _storable(part: Part) -> Part:
    return replace(part, text=storable(part.text), name=storable(part.name), call_id=storable(part.call_id))
