"""Values that the care of the data shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class BackupRow:
    """One backup of the folder.

    Attributes:
        kind: Why it was made: by hand, by the schedule, before an update, or because another took its place.
    """

    path: str
    kind: Literal["hand", "auto", "schema", "replaced"]
    made_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BackupContent:
    """What a backup holds that was read whole.

    Attributes:
        newest_at: When its newest message was begun; None without any.
    """

    path: str
    n_conversations: int
    n_messages: int
    newest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes on the disk.

    Attributes:
        kinds: Of content by kind, see `ui.care.words.KINDS`; the rest of the file is its own order.
        free_bytes: Of the file, that hold nothing.
        cache_bytes: States of conversations that models have computed.
    """

    file_bytes: int
    log_bytes: int
    free_bytes: int
    kinds: Mapping[str, int]
    backups_bytes: int
    cache_bytes: int
