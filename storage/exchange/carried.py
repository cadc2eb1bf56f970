"""A conversation on its way: what importers make of files, what exporters make files of.

Values only: nothing here knows the database, so that a file is read and written on any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from storage.knowledge.records import Citation
from storage.records import Generation, MessageStatus, Part, Role

LostKind = Literal[
    "file",
    "image",
    "audio",
    "video",
    "citation",
    "state",
    "trace",
    "message",
    "other",
]
"""What does not come over: there is no place for it here, or it is not in the file."""


@dataclass(frozen=True, slots=True)
class CarriedTrace:
    """An array beside an answer, as its row in `traces` holds it; checked before it is stored.

    Attributes:
        shape: Lengths, the slowest dimension first.
        data: The numbers, compressed as one zlib stream.
    """

    kind: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CarriedMessage:
    """One message.

    Attributes:
        parts: Images and files with their bytes, as far as there are any.
        key: Stable name within its conversation, the same each time that it is carried.
        parent_key: None for a first message.
        created_at: None where the other program does not say.
        started_at, ended_at: Of the generation; None where they are not known.
        more: What else our own format knows of it, by name.
    """

    key: str
    parent_key: str | None
    role: Role
    parts: tuple[Part, ...]
    created_at: datetime | None = None
    status: MessageStatus = "complete"
    generation: Generation | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    traces: tuple[CarriedTrace, ...] = ()
    citations: tuple[Citation, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Carried:
    """One conversation.

    Attributes:
        origin: Stable name over all programs, `program:id`; carried again, it finds what came before.
        messages: Parents before their children.
        head_key: The message that is shown, or one above it; None: the last.
        created_at, updated_at: None where the other program does not say.
        folder: Names from the outermost to the innermost.
        lost: How many of each `LostKind` did not come over.
        more: What else is known of it, by name: "is_pinned", "is_archived".
    """

    origin: str
    title: str
    messages: tuple[CarriedMessage, ...]
    head_key: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    model_name: str | None = None
    system_prompt: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    title_is_automatic: bool = False
    folder: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """A stretch of a file that could not be read; what stands before and after it was.

    Attributes:
        where: File and place in it.
        reason: Technical text.
    """

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of an archive or folder that holds no conversations.

    Attributes:
        is_cut_off: It ends within its first value.
    """

    where: str
    is_cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Recognized:
    """What the file is; comes before the first conversation of its kind.

    Attributes:
        program: Key of the importer, such as "chatgpt".
    """

    where: str
    program: str


Item = Carried | Broken | Skipped | Recognized
