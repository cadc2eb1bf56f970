"""The rows of the knowledge: collections, what was added to them, documents, passages.

A document's passages are replaced as a whole, in one transaction; so are a collection's vectors when another
model computes them.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from sqlite3 import Row
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.database import Database, now_text, storable
from storage.errors import NoSuchCollection, NoSuchPassage, NoSuchSource
from storage.knowledge.passage_index import PassageIndex
from storage.knowledge.records import (
    READER_VERSION,
    Collection,
    Document,
    EmbeddingModel,
    FileStamp,
    FoundPassage,
    ReadDocument,
)
from storage.knowledge.rows import document_of, found_of, passage_values
from storage.knowledge.vectors import Vectors
from storage.rows import to_json
from storage.shelf import label

# Of each of the two lists. Source: Cormack, Clarke, Buettcher, "Reciprocal Rank Fusion outperforms Condorcet
# and individual Rank Learning Methods" (2009), which also has the 60.
_N_RANKED: Final = 50
_RANK_OFFSET: Final = 60

_COLLECTIONS: Final = """
    SELECT collections.*,
        (SELECT count(*) FROM documents JOIN sources ON sources.id = source_id
         WHERE collection_id = collections.id) AS n_documents,
        (SELECT count(*) FROM documents JOIN sources ON sources.id = source_id
         WHERE collection_id = collections.id AND refused IS NOT NULL) AS n_refused,
        (SELECT count(*) FROM passages JOIN documents ON documents.id = document_id
         JOIN sources ON sources.id = source_id WHERE collection_id = collections.id) AS n_passages,
        (SELECT count(*) FROM vectors WHERE collection_id = collections.id) AS n_vectors
    FROM collections
"""
_DOCUMENTS: Final = """
    SELECT documents.*, sources.path AS source,
        (SELECT count(*) FROM passages WHERE document_id = documents.id) AS n_passages
    FROM documents JOIN sources ON sources.id = source_id
"""
_PASSAGES: Final = """
    SELECT passages.*, documents.path, documents.title
    FROM passages JOIN documents ON documents.id = document_id JOIN sources ON sources.id = source_id
"""


class Knowledge:
    """All collections. Names are unique."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._index = PassageIndex(database)
        self._vectors = Vectors(database)

    def list(self) -> builtins.list[Collection]:
        """All of them, by name."""
        return [self._collection(row) for row in self._database.query(f"{_COLLECTIONS} ORDER BY name")]

    def get(self, name: str) -> Collection:
        """One.

        Raises:
            NoSuchCollection: It was never there, or was removed.
        """
        rows = self._database.query(f"{_COLLECTIONS} WHERE name = ?", [storable(name)])
        if not rows:
            raise NoSuchCollection(name)
        return self._collection(rows[0])

    def add_source(self, name: str, path: Path) -> Collection:
        """Note that a file or folder belongs to a collection, which is made if there is none of this name.

        Raises:
            UnusableLabel: A collection cannot be called so.
        """
        name = label(name)
        with self._database.transaction():
            self._database.execute(
                "INSERT OR IGNORE INTO collections (name, created_at) VALUES (?, ?)", [name, now_text()]
            )
            self._database.execute(
                "INSERT OR IGNORE INTO sources (collection_id, path) VALUES (?, ?)",
                [self.get(name).id, str(path)],
            )
        return self.get(name)

    def remove(self, name: str) -> None:
        """Forget a collection and everything indexed of it; the files stay.

        Raises:
            NoSuchCollection: There is none.
        """
        for source in self.get(name).sources:
            self.remove_source(name, source)
        with self._database.transaction():
            self._database.execute("DELETE FROM collections WHERE name = ?", [name])

    def remove_source(self, name: str, path: Path) -> None:
        """Forget one file or folder of a collection.

        Raises:
            NoSuchCollection, NoSuchSource: It was never added.
        """
        if path not in self.get(name).sources:
            raise NoSuchSource(name, path)
        for document in self.documents(name):
            if document.source == path:
                self.remove_document(document.id)
        with self._database.transaction():
            self._database.execute(
                "DELETE FROM sources WHERE path = ? AND collection_id = ?", [str(path), self.get(name).id]
            )

    # Documents

    def documents(self, name: str) -> builtins.list[Document]:
        """All of a collection, by path.

        Raises:
            NoSuchCollection: There is none.
        """
        rows = self._database.query(
            f"{_DOCUMENTS} WHERE collection_id = ? ORDER BY documents.path", [self.get(name).id]
        )
        return [document_of(row) for row in rows]

    def put_document(
        self, name: str, source: Path, path: Path, stamp: FileStamp, document: ReadDocument
    ) -> None:
        """Store a document in place of the one before; its passages have no vectors yet.

        Raises:
            NoSuchCollection, NoSuchSource: Removed meanwhile.
        """
        with self._database.transaction():
            document_id = self._touch(name, source, path, stamp, document.title)
            # By the title of before, under which they are indexed.
            self._clear(document_id)
            self._database.execute(
                "UPDATE documents SET kind = ?, title = ?, sha256 = ?, refused = NULL WHERE id = ?",
                [document.kind, document.title, document.sha256, document_id],
            )
            for position, passage in enumerate(document.passages):
                passage_id = self._database.execute(
                    "INSERT INTO passages (document_id, position, headings, page, line, line_end, text)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [document_id, position, *passage_values(passage)],
                )
                self._index.add(passage_id, passage.text, passage.headings, document.title)

    def note_unchanged(self, name: str, source: Path, path: Path, stamp: FileStamp) -> None:
        """A document that was looked at and is what it was.

        Raises:
            NoSuchCollection, NoSuchSource: Removed meanwhile.
        """
        with self._database.transaction(durable=False):
            document_id = self._touch(name, source, path, stamp, path.name)
            self._database.execute("UPDATE documents SET refused = NULL WHERE id = ?", [document_id])

    def note_refused(self, name: str, source: Path, path: Path, stamp: FileStamp, why: str) -> None:
        """A document that cannot be read now; what is indexed of it stays.

        Raises:
            NoSuchCollection, NoSuchSource: Removed meanwhile.
        """
        with self._database.transaction():
            document_id = self._touch(name, source, path, stamp, path.name)
            self._database.execute("UPDATE documents SET refused = ? WHERE id = ?", [why, document_id])

    def remove_document(self, document_id: int) -> None:
        """Forget a document; nothing happens where there is none."""
        with self._database.transaction():
            self._clear(document_id)
            self._database.execute("DELETE FROM documents WHERE id = ?", [document_id])

    # Vectors

    def set_model(self, name: str, model: EmbeddingModel | None) -> None:
        """Who computes vectors from now on; those of another model are forgotten.

        Raises:
            NoSuchCollection: There is none.
        """
        with self._database.transaction():
            collection = self.get(name)
            if collection.model != model:
                self._vectors.clear(collection.id)
            self._database.execute(
                "UPDATE collections SET embedding_model = ?, embedding_sha256 = ?, n_dimensions = ?"
                " WHERE id = ?",
                [
                    *((model.name, model.sha256, model.n_dimensions) if model else (None, None, None)),
                    collection.id,
                ],
            )

    def without_vector(self, name: str, limit: int) -> builtins.list[FoundPassage]:
        """The first passages that have no vector yet.

        Raises:
            NoSuchCollection: There is none.
        """
        rows = self._database.query(
            f"{_PASSAGES} WHERE collection_id = ? AND passages.id NOT IN (SELECT passage_id FROM vectors)"
            " ORDER BY passages.id LIMIT ?",
            [self.get(name).id, limit],
        )
        return [found_of(row) for row in rows]

    def put_vectors(self, name: str, vectors: Mapping[int, NDArray[np.float32]]) -> None:
        """Keep the vectors of passages; one whose passage is gone meanwhile is left out.

        Raises:
            NoSuchCollection: There is none.
            ValueError: They have not the length of those that are there.
        """
        with self._database.transaction(durable=False):  # they can be computed again
            collection = self.get(name)
            expected = collection.model.n_dimensions if collection.model else None
            lengths = {len(vector) for vector in vectors.values()}
            if lengths - {expected}:
                raise ValueError(f"vectors of {lengths}, not {expected} numbers")
            rows = self._database.query(
                "SELECT id FROM passages WHERE id IN (SELECT value FROM json_each(?))",
                [to_json(list(vectors))],
            )
            self._vectors.put(collection.id, {row["id"]: vectors[row["id"]] for row in rows})

    # Finding

    def search(
        self, name: str, text: str, vector: NDArray[np.float32] | None = None, *, limit: int = 10
    ) -> builtins.list[FoundPassage]:
        """The passages that say most about `text`: by its words, and by its vector where there is one.

        Raises:
            NoSuchCollection: There is none.
        """
        collection = self.get(name)
        by_words = self._index.find(collection.id, text, _N_RANKED)
        by_vector = [] if vector is None else self._vectors.nearest(collection.id, vector, _N_RANKED)
        word_ranks = {passage_id: rank for rank, passage_id in enumerate(by_words, start=1)}
        vector_ranks = {passage_id: rank for rank, passage_id in enumerate(by_vector, start=1)}
        scores = dict.fromkeys([*by_words, *by_vector], 0.0)
        for ranks in (word_ranks, vector_ranks):
            for passage_id, rank in ranks.items():
                scores[passage_id] += 1 / (_RANK_OFFSET + rank)
        best = sorted(scores, key=lambda passage_id: (-scores[passage_id], passage_id))[:limit]
        rows = self._database.query(
            f"{_PASSAGES} WHERE passages.id IN (SELECT value FROM json_each(?))", [to_json(best)]
        )
        by_id = {row["id"]: row for row in rows}
        return [
            found_of(by_id[each], scores[each], word_ranks.get(each), vector_ranks.get(each)) for each in best
        ]

    def passage(self, passage_id: int) -> FoundPassage:
        """One passage with its place.

        Raises:
            NoSuchPassage: Its document has changed or is gone.
        """
        rows = self._database.query(f"{_PASSAGES} WHERE passages.id = ?", [passage_id])
        if not rows:
            raise NoSuchPassage(passage_id)
        return found_of(rows[0])

    def fill(self) -> None:
        """See `PassageIndex.fill`."""
        self._index.fill()

    # Inside a transaction

    def _touch(self, name: str, source: Path, path: Path, stamp: FileStamp, title: str) -> int:
        """The document's row, made if there is none, with today's stamp."""
        rows = self._database.query(
            "SELECT id FROM sources WHERE path = ? AND collection_id = ?",
            [str(source), self.get(name).id],
        )
        if not rows:
            raise NoSuchSource(name, source)
        source_id = rows[0]["id"]
        values = [stamp.size_bytes, stamp.modified_ns, READER_VERSION, now_text()]
        self._database.execute(
            "INSERT INTO documents"
            " (source_id, path, title, size_bytes, modified_ns, reader_version, indexed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source_id, path) DO UPDATE SET"
            " size_bytes = excluded.size_bytes, modified_ns = excluded.modified_ns,"
            " reader_version = excluded.reader_version, indexed_at = excluded.indexed_at",
            [source_id, str(path), title, *values],
        )
        ((document_id,),) = self._database.query(
            "SELECT id FROM documents WHERE source_id = ? AND path = ?", [source_id, str(path)]
        )
        return int(document_id)

    def _clear(self, document_id: int) -> None:
        self._index.remove_document(document_id)
        self._database.execute("DELETE FROM passages WHERE document_id = ?", [document_id])

    def _collection(self, row: Row) -> Collection:
        sources = self._database.query(
            "SELECT path FROM sources WHERE collection_id = ? ORDER BY path", [row["id"]]
        )
        model = None
        if row["embedding_model"] is not None:
            model = EmbeddingModel(row["embedding_model"], row["embedding_sha256"], row["n_dimensions"])
        return Collection(
            id=row["id"],
            name=row["name"],
            created_at=datetime.fromisoformat(row["created_at"]),
            model=model,
            sources=tuple(Path(source["path"]) for source in sources),
            n_documents=row["n_documents"],
            n_refused=row["n_refused"],
            n_passages=row["n_passages"],
            n_vectors=row["n_vectors"],
        )
