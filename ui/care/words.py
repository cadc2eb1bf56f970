"""Backups, sizes and what was deleted, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from ui import formats
from ui.care.values import BackupContent, BackupRow, Space
from ui.i18n import marked, tr, trn

KINDS: Final = {
    "text": marked("questions and answers"),
    "reasoning": marked("reasoning"),
    "attachments": marked("images and files"),
    "routing": marked("experts of tokens"),
    "tokens": marked("tokens and their likelihoods"),
    "search index": marked("search index"),
    "knowledge": marked("documents of collections"),
}
_BACKUPS: Final = {
    "hand": marked("by hand"),
    "auto": marked("by itself"),
    "schema": marked("before an update"),
    "replaced": marked("replaced by another"),
}


def backup_kind(row: BackupRow) -> str:
    """Why it was made."""
    return tr(_BACKUPS[row.kind])


def space_rows(space: Space) -> list[tuple[str, int]]:
    """What takes how many bytes; what is part of the database is indented below it."""
    rows = [(tr("database"), space.file_bytes)]
    rows += [(f"  {tr(KINDS[kind])}", size_bytes) for kind, size_bytes in space.kinds.items()]
    rows += [
        (f"  {tr('empty')}", space.free_bytes),
        (tr("log of the database"), space.log_bytes),
        (tr("backups"), space.backups_bytes),
        (tr("states of conversations"), space.cache_bytes),
    ]
    return rows


def whole(content: BackupContent) -> str:
    """That a backup is good, and what it holds."""
    return tr("{path} is whole.", path=content.path) + " " + holds(content, datetime.now(UTC))


def holds(content: BackupContent, now: datetime) -> str:
    """What a person would find in a backup."""
    conversations, messages = (formats.number(n) for n in (content.n_conversations, content.n_messages))
    said = {
        "conversations": trn(
            "{n} conversation", "{n} conversations", content.n_conversations, n_text=conversations
        ),
        "messages": trn("{n} message", "{n} messages", content.n_messages, n_text=messages),
    }
    if content.newest_at is None:
        return tr("It holds {conversations} and {messages}.", **said)
    return tr(
        "It holds {conversations} and {messages}, the newest of {when}.",
        when=formats.moment(content.newest_at, now),
        **said,
    )


def given_back(size_bytes: int) -> str:
    """What compaction has brought."""
    return tr("{size} were given back.", size=formats.size(max(size_bytes, 0)))


def deleted(n: int) -> str:
    """How many conversations are gone."""
    return trn("1 conversation is deleted.", "{n} conversations are deleted.", n, n_text=formats.number(n))


def still_held(folder: str, names: Sequence[str]) -> str:
    """Which backups have what was deleted; empty where none has."""
    if not names:
        return ""
    return tr(
        "These backups in {folder} still hold what was deleted; remove them if it must be gone:",
        folder=folder,
    )


def traces_left() -> str:
    """That erasing did not come to its end."""
    return tr("Traces of what was deleted may be left in the file until it is compacted.")
