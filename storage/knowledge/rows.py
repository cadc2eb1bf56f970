"""Rows of the knowledge's tables as the values of `storage.knowledge.records`, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Row

from storage.knowledge.records import Document, FileStamp, FoundPassage, Passage
from storage.rows import to_json


def passage_values(passage: Passage) -> Sequence[object]:
    """The columns `headings`, `page`, `line`, `line_end`, `text`."""
    return [to_json(list(passage.headings)), passage.page, passage.line, passage.line_end, passage.text]


def passage_of(row: Row) -> Passage:
    """A row that has the columns of `passage_values`."""
    return Passage(row["text"], tuple(json.loads(row["headings"])), row["page"], row["line"], row["line_end"])


def found_of(
    row: Row, score: float = 0.0, word_rank: int | None = None, vector_rank: int | None = None
) -> FoundPassage:
    """A row of `passages` with the document's `path` and `title`."""
    return FoundPassage(
        id=row["id"],
        path=Path(row["path"]),
        title=row["title"],
        passage=passage_of(row),
        score=score,
        word_rank=word_rank,
        vector_rank=vector_rank,
    )


def document_of(row: Row) -> Document:
    """A row of `documents` with `source` and `n_passages`."""
    return Document(
        id=row["id"],
        source=Path(row["source"]),
        path=Path(row["path"]),
        kind=row["kind"],
        title=row["title"],
        stamp=FileStamp(row["size_bytes"], row["modified_ns"]),
        sha256=row["sha256"],
        reader_version=row["reader_version"],
        refused=row["refused"],
        n_passages=row["n_passages"],
    )
