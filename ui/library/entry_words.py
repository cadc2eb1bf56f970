"""An entry of the library as a row, and its facts in words."""

from __future__ import annotations

from collections.abc import Sequence

from model_manager.types import ModelEntry
from ui import file_words, formats
from ui.chat.model_picker import describe
from ui.i18n import tr
from ui.library.faces import Badge, Face
from ui.library.values import FileFigures, Shelf


def entry_faces(shelf: Shelf, wanted: str, progress: dict[str, int]) -> list[Face]:
    """A row for each entry that has all of the wanted words in its name or its facts.

    Args:
        shelf: The library.
        wanted: Words with spaces between; "" wants all.
        progress: Per mille of what is going on, by name.
    """
    words = wanted.casefold().split()
    faces = []
    for entry in shelf.entries:
        text = " ".join((entry.name, describe(entry), entry.source)).casefold()
        if all(word in text for word in words):
            faces.append(entry_face(entry, progress.get(entry.name)))
    return faces


def entry_face(entry: ModelEntry, permille: int | None) -> Face:
    """The row of an entry.

    Args:
        entry: The entry.
        permille: Of what is going on with it; None for nothing.
    """
    size = "" if entry.address or entry.is_missing else formats.size(entry.size_bytes)
    return Face(
        entry.name,
        entry.name,
        tuple(entry_badges(entry)),
        (first_line(entry),),
        size,
        is_wrong=entry.is_missing,
        permille=permille,
    )


def entry_badges(entry: ModelEntry) -> list[Badge]:
    """What one should know before using it."""
    badges = []
    if entry.is_missing and not entry.is_starter:
        badges.append(Badge(tr("missing parts") if len(entry.paths) > 1 else tr("broken"), "error"))
    elif entry.sha256 and not entry.address:
        badges.append(Badge(tr("verified"), "success"))
    if entry.is_starter:
        badges.append(Badge(tr("demonstration")))
    if entry.address:
        badges.append(Badge(tr("on another machine"), "accent"))
    return badges


def first_line(entry: ModelEntry) -> str:
    """Architecture, experts and quantization; the size stands elsewhere."""
    if entry.is_missing and len(entry.paths) > 1:
        return tr("Not all of its {n} files are there", n=len(entry.paths))
    if entry.is_missing or entry.address:
        return describe(entry)
    return describe(entry).partition(" · ")[2]


def fact_rows(entry: ModelEntry, file: FileFigures | None = None) -> Sequence[tuple[str, str]]:
    """What is known of it, name and value; what is unknown is left out.

    Args:
        entry: It.
        file: What is in its files, once they were read.
    """
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
    words = [tr("not the file's own")] if entry.chat_template is not None else []
    if file is not None:
        if file.license:
            rows.append((tr("Licence"), file.license))
        kinds = [f"{file_words.tensor_class(name)} {' + '.join(types)}" for name, types in file.types]
        rows.append((tr("Number formats"), ", ".join(kinds)))
        words.append(
            file_words.template(
                file.template_verdict,
                file.template_known_as,
                file.template_expected,
                file.n_template_changes,
            )
        )
    if words:
        rows.append((tr("Template"), "; ".join(words)))
    return rows
