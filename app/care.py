"""What window and command line do alike for the database: sizes, erasing, and the folder of backups."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence

from app.errors import Interrupted, NotErased
from app.services import Services
from storage.backups import BackupContent as StoredContent, BackupFile, Backups
from storage.errors import StorageError
from storage.records import Conversation
from storage.sizes import sizes_of
from storage.store import Store
from ui.care.values import BackupContent, BackupRow, Space

Progress = Callable[[int, int], None]
"""Steps that are done, and about how many there are; may raise `Interrupted`."""


def space_of(services: Services) -> Space:
    """What everything takes; reads all of the database, on a connection of its own."""
    sizes = sizes_of(services.paths.database)
    folder = services.paths.prompt_cache_dir
    files = folder.rglob("*") if folder.is_dir() else ()
    return Space(
        sizes.file_bytes,
        sizes.log_bytes,
        sizes.free_bytes,
        sizes.kinds,
        sizes.backups_bytes,
        sum(file.stat().st_size for file in files if file.is_file()),
    )


def rows_of(backups: Backups) -> list[BackupRow]:
    """The backups of the folder, the newest first."""
    return [_row(file) for file in backups.list()]


def content_of(found: StoredContent) -> BackupContent:
    """What a backup holds, for people."""
    return BackupContent(str(found.path), found.n_conversations, found.n_messages, found.newest_at)


def newest_sound(backups: Backups) -> BackupContent | None:
    """The newest backup that is whole and that this program can open; reads the others before it, too."""
    for file in backups.list():
        if file.kind != "replaced":
            with contextlib.suppress(StorageError, OSError):
                return content_of(backups.verify(file.path))
    return None


def delete(services: Services, ids: Sequence[int]) -> list[Conversation]:
    """Delete conversations for good, with what models have computed of them; returns what they were."""
    gone = services.storage.call(lambda store: [store.conversations.get(id_) for id_ in dict.fromkeys(ids)])
    for conversation in gone:
        services.storage.call(functools.partial(_delete, conversation.id))
        services.forget_conversation(conversation.id)
    return gone


def erase(services: Services, gone: Sequence[Conversation], progress: Progress) -> list[str]:
    """Leave no trace of deleted conversations in the file; returns the names of backups that have some.

    Raises:
        NotErased: They are deleted, and traces are left: no room, another program that reads, or a person
            stopped it.
    """
    try:
        services.storage.call(lambda store: store.upkeep.compact(progress))
    except (StorageError, Interrupted) as error:
        raise NotErased(len(gone)) from error
    return services.storage.call(lambda store: store.upkeep.backups_with(gone))


def _delete(conversation_id: int, store: Store) -> None:
    store.trash.delete(conversation_id)


def _row(file: BackupFile) -> BackupRow:
    return BackupRow(str(file.path), file.kind, file.made_at, file.size_bytes)
