"""Values of the knowledge collections. Identity is the store's, as in `storage.records`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from storage.errors import RefusalKind

READER_VERSION: Final = 2
"""Grows with every change to what is made of a file: documents of an older one are read again."""

DocumentKind = Literal["text", "markdown", "html", "pdf", "docx", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a document that belongs together: a paragraph, a list, a definition, a page.

    Attributes:
        headings: Those that it stands under, the outermost first; in source code its definition.
        page: Counted from 1; None where a format has none.
        line: Of its beginning, counted from 1; None where a format has none.
    """

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """What is found and cited: one or more blocks under one heading, or a piece of a long block.

    Attributes:
        headings, page, line: As of a `Block`.
        line_end: Its last line.
    """

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    line: int | None = None
    line_end: int | None = None


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells whether a file may have changed without reading it."""

    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A file that was read and cut.

    Attributes:
        title: Its own, else the file's name.
        sha256: Of the file.
    """

    kind: DocumentKind
    title: str
    sha256: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """Who computed a collection's vectors: only vectors of one model can be compared.

    Attributes:
        name: In the library at the time.
        sha256: Of its first file; None while it had not been computed.
        n_dimensions: Length of its vectors; None before the first.
    """

    name: str
    sha256: str | None = None
    n_dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents that are searched together.

    Attributes:
        model: None: passages are found by their words alone.
        sources: Files and folders that a person has added.
        n_refused: Documents that could not be read the last time.
        n_vectors: Passages that have one.
    """

    id: int
    name: str
    created_at: datetime
    model: EmbeddingModel | None
    sources: tuple[Path, ...]
    n_documents: int
    n_refused: int
    n_passages: int
    n_vectors: int


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a collection.

    Attributes:
        sha256: None where it has never been read.
        refused: Why it could not be read the last time, see `storage.errors.DocumentRefused`; what is
            indexed of it is then what it was before. None: it was read.
        n_passages: 0 where it has never been read.
    """

    id: int
    source: Path
    path: Path
    kind: str | None
    title: str
    stamp: FileStamp
    sha256: str | None
    reader_version: int
    refused: RefusalKind | None
    n_passages: int


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that answers a question, best first.

    Attributes:
        score: By reciprocal rank fusion; comparable within one search alone.
        word_rank, vector_rank: Its place in the two lists that were merged, from 1; None: not in it.
    """

    id: int
    path: Path
    title: str
    passage: Passage
    score: float
    word_rank: int | None
    vector_rank: int | None


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that a question was sent with, as it was then: the document may change or go.

    Attributes:
        number: What the answer calls it: [1]. Unique within a branch of a conversation.
        collection: Its name.
    """

    number: int
    collection: str
    path: Path
    title: str
    passage: Passage
