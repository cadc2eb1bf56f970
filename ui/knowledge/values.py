"""What the window shows of collections of documents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document.

    Attributes:
        why_not: Why it could not be read the last time, as a sentence; "" where it was.
    """

    path: str
    n_passages: int
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class SourceRows:
    """A file or folder that was added, with the documents found there."""

    path: str
    documents: tuple[DocumentRow, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """One collection.

    Attributes:
        model: Computes its vectors; "" where words alone are searched.
        n_vectors: Passages that have one.
    """

    name: str
    n_documents: int
    n_passages: int
    n_vectors: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class CitedPassage:
    """A passage that a question was sent with.

    Attributes:
        number: What the answer calls it: [1].
        place: File, page or line, and headings, in one line.
    """

    number: int
    place: str
    path: str
    text: str
