"""Collections, documents and passages in words and as JSON, for the command line."""

from __future__ import annotations

import shlex
from typing import Any

from app.cli.conversation_json import MARKS
from app.collection_rows import counts
from app.knowledge import Found, Report
from app.words import sentence
from storage.knowledge.places import place
from storage.knowledge.records import Citation, Collection, Document, FoundPassage, Passage
from storage.snippets import snippet
from storage.terms import terms_of
from ui import formats
from ui.i18n import tr, trn

_BOLD = str.maketrans({"\ue000": "\x1b[1m", "\ue001": "\x1b[0m"})


def collection_json(collection: Collection) -> dict[str, Any]:
    """One collection."""
    model = collection.model
    return {
        "name": collection.name,
        "created_at": collection.created_at.isoformat(),
        "model": model.name if model else None,
        "sources": [str(source) for source in collection.sources],
        "n_documents": collection.n_documents,
        "n_refused": collection.n_refused,
        "n_passages": collection.n_passages,
        "n_vectors": collection.n_vectors,
    }


def collection_row(collection: Collection) -> list[str]:
    """One line of the list."""
    model = collection.model
    return [
        collection.name,
        trn("{n} document", "{n} documents", collection.n_documents),
        trn("{n} passage", "{n} passages", collection.n_passages),
        model.name if model else tr("words alone"),
    ]


def state_lines(collection: Collection) -> list[str]:
    """What a collection is, above its documents."""
    lines = [tr("From {path}", path=source) for source in collection.sources]
    if collection.model is None:
        return [*lines, _no_model(collection)]
    if collection.n_vectors < collection.n_passages:
        return [*lines, _unfinished(collection)]
    return [*lines, tr("Searched by words and by meaning ({name}).", name=collection.model.name)]


def document_json(document: Document) -> dict[str, Any]:
    """One document."""
    return {
        "path": str(document.path),
        "title": document.title,
        "kind": document.kind,
        "size_bytes": document.stamp.size_bytes,
        "sha256": document.sha256,
        "refused": document.refused,
        "n_passages": document.n_passages,
    }


def document_row(document: Document) -> list[str]:
    """One line of the documents of a collection."""
    state = trn("{n} passage", "{n} passages", document.n_passages)
    if document.refused is not None:
        state = tr("not read: {why}", why=document.refused)
    return [str(document.path), formats.size(document.stamp.size_bytes), state]


def report_json(report: Report) -> dict[str, Any]:
    """What a refresh came to."""
    error = report.embedding_error
    return {
        "n_read": report.n_read,
        "n_unchanged": report.n_unchanged,
        "n_removed": report.n_removed,
        "n_skipped": report.n_skipped,
        "n_embedded": report.n_embedded,
        "missing": [str(path) for path in report.missing],
        "refused": [
            {"path": str(each.path), "why": each.why, "message": sentence(each)} for each in report.refused
        ],
        "embedding_error": sentence(error) if error else None,
        "is_cancelled": report.is_cancelled,
    }


def report_lines(report: Report, collection: Collection) -> list[str]:
    """What a refresh came to, and what that makes of the collection."""
    lines = [" · ".join([*counts(report), tr("{n} of other kinds", n=report.n_skipped)])]
    lines += [
        tr("“{path}” is not there now; what is indexed of it stays.", path=path) for path in report.missing
    ]
    if report.is_cancelled:
        stopped = tr(
            "Stopped; what was done stays. `coterie knowledge refresh {name}` goes on.",
            name=_typed(collection),
        )
        lines.append(stopped)
    elif collection.model is None:
        lines.append(_no_model(collection))
    elif collection.n_vectors < collection.n_passages:
        lines.append(_unfinished(collection))
    return lines


def hit_json(hit: FoundPassage) -> dict[str, Any]:
    """One passage."""
    return {"id": hit.id, "path": str(hit.path), "title": hit.title, **_passage_json(hit.passage)}


def found_json(found: Found) -> dict[str, Any]:
    """What a search found."""
    return {
        "passages": [
            hit_json(hit) | {"score": hit.score, "word_rank": hit.word_rank, "vector_rank": hit.vector_rank}
            for hit in found.passages
        ],
        "words_only": found.words_only or None,
        "message": words_only_sentence(found) or None,
    }


def citation_json(citation: Citation) -> dict[str, Any]:
    """One citation."""
    return {
        "number": citation.number,
        "collection": citation.collection,
        "path": str(citation.path),
        "title": citation.title,
        **_passage_json(citation.passage),
    }


def citation_line(citation: Citation) -> str:
    """Its number and place."""
    return f"[{citation.number}] {place(citation.path, citation.title, citation.passage)}"


def place_of(hit: FoundPassage) -> str:
    """Where it stands."""
    return place(hit.path, hit.title, hit.passage)


def snippet_of(hit: FoundPassage, text: str, *, marks: bool) -> str:
    """A line of it, around what was looked for."""
    return snippet(hit.passage.text, terms_of(text)).translate(_BOLD if marks else MARKS)


def words_only_sentence(found: Found) -> str:
    """What was not searched by meaning, why, and what to do; empty where everything was."""
    name = _typed(found.collection)
    match found.words_only:
        case "no_model":
            return _no_model(found.collection)
        case "no_vectors":
            return _unfinished(found.collection)
        case "model_gone":
            return tr(
                "Only words were searched: the model of this collection is no longer in the library."
                " Bring it back, or choose another with `coterie knowledge refresh {name} --model MODEL`.",
                name=name,
            )
        case "model_changed":
            return tr(
                "Only words were searched: the model is another than the one that this collection was indexed"
                " with."
                " `coterie knowledge refresh {name}` computes its vectors again.",
                name=name,
            )
        case "failed":
            return tr("Only words were searched. {why}", why=sentence(found.error) if found.error else "")
    is_whole = found.collection.n_vectors == found.collection.n_passages
    return "" if is_whole else _unfinished(found.collection)


def _no_model(collection: Collection) -> str:
    return tr(
        "Words alone are searched: the collection has no embedding model."
        " `coterie knowledge refresh {name} --model MODEL` adds search by meaning.",
        name=_typed(collection),
    )


def _unfinished(collection: Collection) -> str:
    return tr(
        "{n} of {total} passages have a vector; the others are found by their words."
        " `coterie knowledge refresh {name}` goes on.",
        n=collection.n_vectors,
        total=collection.n_passages,
        name=_typed(collection),
    )


def _passage_json(passage: Passage) -> dict[str, Any]:
    return {
        "headings": list(passage.headings),
        "page": passage.page,
        "line": passage.line,
        "line_end": passage.line_end,
        "text": passage.text,
    }


def _typed(collection: Collection) -> str:
    """Its name as it is typed behind a command."""
    return shlex.quote(collection.name)
