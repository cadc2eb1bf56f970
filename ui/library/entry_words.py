"""An entry of the library as a row, and its facts in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from model_manager.types import DuplicateGroup, ModelEntry
from ui import formats
from ui.chat.model_picker import describe
from ui.i18n import marked, tr
from ui.library.faces import Badge, Face, Tone
from ui.library.values import Shelf

_STATES: Final[Mapping[str, tuple[str, Tone]]] = MappingProxyType(
    {
        "verified": (marked("verified"), "success"),
        "changed": (marked("changed since it was verified"), "warning"),
        "damaged": (marked("damaged"), "error"),
        "missing": (marked("missing"), "error"),
        "missing_shard": (marked("missing parts"), "error"),
        "broken_link": (marked("broken link"), "error"),
    }
)


def entry_faces(shelf: Shelf, wanted: str, progress: dict[str, int]) -> list[Face]:
    """A row for each entry that has all of the wanted words in its name, facts, note or tags (`#tag`).

    Args:
        shelf: The library.
        wanted: Words with spaces between; "" wants all.
        progress: Per mille of what is going on, by name.
    """
    words = wanted.casefold().split()
    faces = []
    for entry in shelf.entries:
        tags = [f"#{tag}" for tag in entry.tags]
        text = " ".join((entry.name, describe(entry), entry.source, *tags, entry.note)).casefold()
        if all(word in text for word in words):
            faces.append(entry_face(entry, progress.get(entry.name)))
    return faces


def duplicate_faces(shelf: Shelf, groups: Sequence[DuplicateGroup], progress: dict[str, int]) -> list[Face]:
    """A heading for each set of same bytes, with the entries that have them below."""
    entries = {entry.name: entry for entry in shelf.entries}
    faces = []
    for group in groups:
        size = formats.size(group.size_bytes)
        if group.wasted_bytes:
            wasted = formats.size(group.wasted_bytes)
            title = tr("The same {size}, {wasted} too much:", size=size, wasted=wasted)
        else:
            title = tr("One file of {size} under several names:", size=size)
        faces.append(Face(None, title))
        faces += [entry_face(entries[name], progress.get(name)) for name in group.names if name in entries]
    return faces


def entry_face(entry: ModelEntry, permille: int | None) -> Face:
    """The row of an entry.

    Args:
        entry: The entry.
        permille: Of what is going on with it; None for nothing.
    """
    size = "" if entry.address or entry.is_missing else formats.size(entry.size_bytes)
    lines = [first_line(entry), used_words(entry)]
    return Face(
        entry.name,
        entry.name,
        (*entry_badges(entry), *(Badge(f"#{tag}") for tag in entry.tags)),
        tuple(filter(None, lines)),
        size,
        is_wrong=is_unusable(entry),
        permille=permille,
    )


def is_unusable(entry: ModelEntry) -> bool:
    """Whether its files cannot be loaded as they are."""
    return (entry.is_missing and not entry.is_starter) or entry.state == "damaged"


def entry_badges(entry: ModelEntry) -> list[Badge]:
    """What one should know before using it."""
    badges = []
    if not entry.address and not entry.is_starter and entry.state in _STATES:
        words, tone = _STATES[entry.state]
        badges.append(Badge(tr(words), tone))
    if entry.is_starter:
        badges.append(Badge(tr("demonstration")))
    if entry.address:
        badges.append(Badge(tr("on another machine"), "accent"))
    if entry.moving_to is not None:
        badges.append(Badge(tr("move not finished"), "warning"))
    return badges


def first_line(entry: ModelEntry) -> str:
    """What is wrong with it, else architecture, experts and quantization; the size stands elsewhere."""
    if entry.address or entry.is_starter:
        return describe(entry) if entry.address else describe(entry).partition(" · ")[2]
    if entry.state == "missing_shard":
        names = ", ".join(path.name for path in entry.missing_paths[:3])
        return tr("Of its {n} files, some are not there: {names}", n=len(entry.paths), names=names)
    if entry.state == "broken_link":
        return tr("It is a link that leads nowhere: {path}", path=entry.missing_paths[0])
    if entry.state == "damaged":
        return tr("Its bytes are not what they should be. Download or copy it again.")
    if entry.is_missing:
        return describe(entry)
    return describe(entry).partition(" · ")[2]


def used_words(entry: ModelEntry) -> str:
    """When it answered last, and how fast it is."""
    parts = []
    if entry.used_at is not None:
        parts.append(tr("last used {moment}", moment=formats.moment(entry.used_at, datetime.now(UTC))))
    if entry.decode_tokens_per_s is not None:
        parts.append(tr("{rate} tokens/s", rate=formats.decimal(entry.decode_tokens_per_s)))
    return " · ".join(parts)


def fact_rows(entry: ModelEntry) -> Sequence[tuple[str, str]]:
    """What is known of it, name and value; what is unknown is left out."""
    rows = []
    if entry.address:
        return [(tr("Server"), entry.address)]
    rows.append((tr("Size"), formats.size(entry.size_bytes)))
    if entry.architecture:
        rows.append((tr("Architecture"), entry.architecture))
    if entry.n_experts:
        experts = tr("{n} experts, {used} active", n=entry.n_experts, used=entry.n_experts_used)
        rows.append((tr("Experts"), experts))
    else:
        rows.append((tr("Experts"), tr("none: dense")))
    if entry.quantization:
        rows.append((tr("Quantization"), entry.quantization))
    if entry.n_ctx_train_tokens:
        rows.append((tr("Context"), tr("{n} tokens", n=formats.number(entry.n_ctx_train_tokens))))
    if entry.source:
        rows.append((tr("From"), entry.source))
    if entry.verified_at is not None and entry.state == "verified":
        rows.append((tr("Verified"), f"{entry.verified_at.astimezone():%Y-%m-%d %H:%M}"))
    used = used_words(entry)
    if used:
        rows.append((tr("Use"), used))
    return rows
