"""Collections, documents and passages as the window shows them."""

from __future__ import annotations

from collections.abc import Sequence

from app.knowledge import Report
from app.words import sentence
from storage.errors import DocumentRefused
from storage.knowledge.places import place
from storage.knowledge.records import Citation, Document
from storage.store import Store
from ui import formats
from ui.i18n import tr
from ui.knowledge.values import CitedPassage, CollectionRow, DocumentRow, SourceRows


def collections(store: Store) -> tuple[CollectionRow, ...]:
    """All of them, by name."""
    return tuple(
        CollectionRow(
            name=found.name,
            n_documents=found.n_documents,
            n_passages=found.n_passages,
            n_vectors=found.n_vectors,
            model=found.model.name if found.model else "",
        )
        for found in store.knowledge.list()
    )


def sources(store: Store, name: str) -> tuple[SourceRows, ...]:
    """What belongs to a collection.

    Raises:
        NoSuchCollection: There is none.
    """
    documents = store.knowledge.documents(name)
    return tuple(
        SourceRows(str(path), tuple(_row(one) for one in documents if one.source == path))
        for path in store.knowledge.get(name).sources
    )


def passages(citations: Sequence[Citation]) -> tuple[CitedPassage, ...]:
    """What a question was sent with."""
    return tuple(
        CitedPassage(one.number, place(one.path, one.title, one.passage), str(one.path), one.passage.text)
        for one in citations
    )


def progress(what: str, done: int, total: int) -> tuple[str, int]:
    """How far reading a collection has come: words, and permille or -1."""
    if what == "embed" and total:
        words = tr("Computing vectors: {n} of {total}", n=formats.number(done), total=formats.number(total))
        return words, 1000 * done // total
    return tr("Reading… {n} files", n=formats.number(done)), -1


def counts(report: Report) -> list[str]:
    """How many documents were read, were as before, are gone, and could not be read."""
    return [
        tr("{n} read", n=report.n_read),
        tr("{n} unchanged", n=report.n_unchanged),
        tr("{n} gone", n=report.n_removed),
        tr("{n} not read", n=len(report.refused)),
    ]


def outcome(report: Report) -> str:
    """What reading a collection came to: counts, and the first thing that went wrong."""
    lines = [" · ".join(counts(report))]
    if report.is_cancelled:
        lines.append(tr("Stopped; what was done stays."))
    if report.embedding_error is not None:
        lines.append(sentence(report.embedding_error))
    lines += [
        tr("“{path}” is not there now; what is indexed of it stays.", path=path) for path in report.missing
    ]
    if report.refused:
        lines.append(sentence(report.refused[0]))
    return "\n".join(lines)


def _row(document: Document) -> DocumentRow:
    why = document.refused
    why_not = sentence(DocumentRefused(document.path, why, "")) if why is not None else ""
    return DocumentRow(str(document.path), document.n_passages, why_not)
