"""Collections of documents: from files to passages with vectors, and from a question to passages.

    files -> reader process -> passages (storage) -> embedding model (engines) -> vectors (storage)

Without an embedding model everything works by words alone, and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from app.document_files import DocumentFiles, is_text
from app.engines import Engines, LoadCancelled
from app.reading import DocumentReader
from model_manager.engine.client import Cancel, EngineClient
from model_manager.engine.vectors import Vectors, embedded
from model_manager.errors import ModelManagerError
from model_manager.library import Library
from model_manager.types import ModelEntry
from storage.errors import DocumentRefused
from storage.knowledge.kinds import stamp_of
from storage.knowledge.records import (
    READER_VERSION,
    Citation,
    Collection,
    Document,
    EmbeddingModel,
    FileStamp,
    FoundPassage,
)
from storage.store import Store
from storage.thread import StorageThread

log = logging.getLogger(__name__)

_BATCH: Final = 8
_NOTHING: Final = FileStamp(0, 0)
# What a file is refused for as long as it does not change.
_LASTING: Final = ("too_large", "binary", "broken", "encrypted", "no_text")

OnProgress = Callable[[Literal["read", "embed"], int, int], None]
"""Told what is done, how much of it, and of how much; 0 while that is not known."""

WordsOnly = Literal["", "no_model", "no_vectors", "model_gone", "model_changed", "failed"]
"""Why only words were searched; "" where vectors were, too."""


@dataclass(slots=True)
class Report:
    """What a look at a collection's files came to.

    Attributes:
        missing: Sources that are not there, such as a disk that is not mounted; they stay indexed.
        refused: Files that could not be read; what was indexed of them before stays.
        n_skipped: Files of no kind that is read.
        embedding_error: Why vectors are missing; everything is found by words all the same.
    """

    n_read: int = 0
    n_unchanged: int = 0
    n_removed: int = 0
    n_skipped: int = 0
    n_embedded: int = 0
    missing: list[Path] = field(default_factory=list)
    refused: list[DocumentRefused] = field(default_factory=list)
    embedding_error: ModelManagerError | None = None
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Passages for a question, the best first."""

    collection: Collection
    passages: tuple[FoundPassage, ...]
    words_only: WordsOnly
    error: ModelManagerError | None = None

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The passages, numbered from 1."""
        return tuple(
            Citation(number, self.collection.name, hit.path, hit.title, hit.passage)
            for number, hit in enumerate(self.passages, start=1)
        )


class Knowledge:
    """All methods may be called from any thread and take as long as files and models need."""

    def __init__(
        self, storage: StorageThread, library: Library, engines: Engines, reader_command: Sequence[str]
    ) -> None:
        """Prepare.

        Args:
            storage: Where collections are.
            library: Where embedding models are.
            engines: Loads them.
            reader_command: What runs `app.reading.main`.
        """
        self._storage = storage
        self._library = library
        self._engines = engines
        self._reader_command = tuple(reader_command)

    def add(self, name: str, paths: Sequence[Path]) -> Collection:
        """Note that files and folders belong to a collection; `refresh` then reads them.

        Args:
            name: Of the collection, which is made if there is none.
            paths: Absolute, at least one.

        Raises:
            DocumentRefused: One of them is not there, is neither file nor folder, or has a name that cannot
                be kept; nothing was noted.
            UnusableLabel: A collection cannot be called so.
        """
        for path in paths:
            if not is_text(path):
                raise DocumentRefused(path, "bad_name", "")
            if not path.is_dir():
                stamp_of(path)

        def note(store: Store) -> Collection:
            return [store.knowledge.add_source(name, path) for path in paths][-1]

        return self._storage.call(note)

    def choose_model(self, name: str, model: str | None) -> None:
        """Who computes the vectors of a collection from now on; None: words alone are searched.

        Raises:
            NoSuchCollection, ModelNotFound: Nothing was changed.
        """
        chosen = None
        if model is not None:
            entry = self._library.get(model)
            kept = self._storage.call(lambda store: store.knowledge.get(name)).model
            if kept is not None and _is_same(kept, entry):
                return
            chosen = EmbeddingModel(entry.name, entry.sha256[0] if entry.sha256 else None)
        self._storage.call(lambda store: store.knowledge.set_model(name, chosen))

    def refresh(
        self,
        name: str,
        cancel: Cancel,
        on_progress: OnProgress = lambda what, done, total: None,
        on_reader: Callable[[DocumentReader], None] = lambda reader: None,
    ) -> Report:
        """Read what is new or has changed, forget what is gone, compute the vectors that are missing.

        Args:
            name: Of the collection.
            cancel: Ends it; what was done stays.
            on_progress: See there.
            on_reader: Given the reader, whose `stop` ends a document that takes long.

        Raises:
            NoSuchCollection: There is none.
        """
        report = Report()
        collection = self._storage.call(lambda store: store.knowledge.get(name))
        documents = self._storage.call(lambda store: store.knowledge.documents(name))
        known = {(document.source, document.path): document for document in documents}
        with DocumentReader(self._reader_command) as reader:
            on_reader(reader)
            for source in collection.sources:
                self._look_at(name, source, known, reader, report, cancel, on_progress)
        if not cancel.is_set:
            self._embed(name, report, cancel, on_progress)
        report.is_cancelled = cancel.is_set
        return report

    def find(self, name: str, text: str, cancel: Cancel, *, limit: int = 6) -> Found:
        """The passages that say most about a question.

        Raises:
            NoSuchCollection: There is none.
            LoadCancelled: `cancel` was set while the model computed.
        """
        collection = self._storage.call(lambda store: store.knowledge.get(name))
        vector, words_only, error = self._vector_for(collection, text, cancel)
        if cancel.is_set:
            raise LoadCancelled
        passages = self._storage.call(lambda store: store.knowledge.search(name, text, vector, limit=limit))
        return Found(collection, tuple(passages), words_only, error)

    # --- files -------------------------------------------------------------------------------------------

    def _look_at(
        self,
        name: str,
        source: Path,
        known: dict[tuple[Path, Path], Document],
        reader: DocumentReader,
        report: Report,
        cancel: Cancel,
        on_progress: OnProgress,
    ) -> None:
        before = {path: document for (of, path), document in known.items() if of == source}
        files = DocumentFiles(source)
        seen: set[Path] = set()
        n_there = 0
        for path in files if source.exists() else ():
            if cancel.is_set:
                return
            seen.add(path)
            n_there += self._take(name, source, path, before.get(path), reader, report, cancel)
            on_progress("read", report.n_read + report.n_unchanged + len(report.refused), 0)
        report.n_skipped += files.n_skipped
        report.refused += files.refused
        seen.update(error.path for error in files.refused)
        if not n_there and not seen and (before or not source.exists()):
            # A disk that is not mounted is an empty folder, or none: that is no reason to forget everything.
            report.missing.append(source)
            return
        unreadable = tuple(error.path for error in files.refused if error.why == "unreadable")
        for path, document in before.items():
            if path not in seen and not any(path.is_relative_to(folder) for folder in unreadable):
                self._forget(document.id)
                report.n_removed += 1

    def _take(
        self,
        name: str,
        source: Path,
        path: Path,
        before: Document | None,
        reader: DocumentReader,
        report: Report,
        cancel: Cancel,
    ) -> bool:
        """Read one file if it may have changed; whether it is there."""
        stamp = _NOTHING
        try:
            stamp = stamp_of(path)
            current = before if before is not None and before.reader_version == READER_VERSION else None
            if current is not None and current.stamp == stamp:
                if current.refused is None:
                    report.n_unchanged += 1
                    return True
                if current.refused in _LASTING:
                    raise DocumentRefused(path, current.refused, "")
            document = reader.read(path, current.sha256 if current is not None else None)
        except DocumentRefused as error:
            if cancel.is_set:
                return True
            if error.why == "gone" and path != source:
                if before is not None:
                    self._forget(before.id)
                    report.n_removed += 1
                return False
            report.refused.append(error)
            why = error.why
            self._storage.call(lambda store: store.knowledge.note_refused(name, source, path, stamp, why))
            return True
        if document is None:
            self._storage.call(lambda store: store.knowledge.note_unchanged(name, source, path, stamp))
            report.n_unchanged += 1
        else:
            self._storage.call(
                lambda store: store.knowledge.put_document(name, source, path, stamp, document)
            )
            report.n_read += 1
        return True

    def _forget(self, document_id: int) -> None:
        self._storage.call(lambda store: store.knowledge.remove_document(document_id))

    # --- vectors -----------------------------------------------------------------------------------------

    def _embed(self, name: str, report: Report, cancel: Cancel, on_progress: OnProgress) -> None:
        collection = self._storage.call(lambda store: store.knowledge.get(name))
        if collection.model is None or collection.n_vectors == collection.n_passages:
            return
        try:
            entry = self._library.get(collection.model.name)
            if not _is_same(collection.model, entry):
                self.choose_model(name, entry.name)
            with self._engines.use(entry, cancel) as engine:
                while not cancel.is_set and self._embed_some(name, engine.client, report, cancel):
                    found = self._storage.call(lambda store: store.knowledge.get(name))
                    on_progress("embed", found.n_vectors, found.n_passages)
        except LoadCancelled:
            return
        except ModelManagerError as error:
            if not cancel.is_set:
                log.info("no vectors for %s: %s", name, error)
                report.embedding_error = error

    def _embed_some(self, name: str, client: EngineClient, report: Report, cancel: Cancel) -> bool:
        """The next few passages; whether there were any."""
        waiting = self._storage.call(lambda store: store.knowledge.without_vector(name, _BATCH))
        if not waiting:
            return False
        texts = ["\n".join([*hit.passage.headings, hit.passage.text]) for hit in waiting]
        vectors = embedded(client, texts, cancel)
        model = self._storage.call(lambda store: store.knowledge.get(name)).model
        if model is None:
            return False  # taken away meanwhile
        if model.n_dimensions != vectors.shape[1]:
            sized = EmbeddingModel(model.name, model.sha256, vectors.shape[1])
            self._storage.call(lambda store: store.knowledge.set_model(name, sized))
        by_id = {hit.id: vector for hit, vector in zip(waiting, vectors, strict=True)}
        self._storage.call(lambda store: store.knowledge.put_vectors(name, by_id))
        report.n_embedded += len(by_id)
        return True

    def _vector_for(
        self, collection: Collection, text: str, cancel: Cancel
    ) -> tuple[Vectors | None, WordsOnly, ModelManagerError | None]:
        """Of a question; without one, why not."""
        model = collection.model
        if model is None:
            return None, "no_model", None
        if collection.n_vectors == 0:
            return None, "no_vectors", None
        try:
            entry = self._library.get(model.name)
        except ModelManagerError as error:
            return None, "model_gone", error
        if not _is_same(model, entry):
            return None, "model_changed", None
        try:
            with self._engines.use(entry, cancel) as engine:
                (vector,) = embedded(engine.client, [text], cancel)
        except ModelManagerError as error:
            return None, "failed", error
        return (vector, "", None) if len(vector) == model.n_dimensions else (None, "model_changed", None)


def _is_same(kept: EmbeddingModel, entry: ModelEntry) -> bool:
    """Whether an entry of the library still is the model that a collection's vectors are of."""
    found = entry.sha256[0] if entry.sha256 else None
    return kept.name == entry.name and (None in (kept.sha256, found) or kept.sha256 == found)
