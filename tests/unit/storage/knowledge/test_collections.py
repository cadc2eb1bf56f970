from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from storage.errors import NoSuchCollection, NoSuchPassage, NoSuchSource
from storage.knowledge.records import Citation, EmbeddingModel, FileStamp, Passage, ReadDocument
from storage.knowledge.vectors import Vectors
from storage.records import Part
from storage.store import Store

FOLDER = Path("/notes")
STAMP = FileStamp(10, 20)
MODEL = EmbeddingModel("small", "ab" * 32, 3)
CAN_LOAD = hasattr(sqlite3.Connection, "enable_load_extension")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "coterie.sqlite")
    yield store
    store.close()


def put(store: Store, name: str, *texts: str, headings: tuple[str, ...] = (), sha256: str = "0") -> None:
    passages = tuple(Passage(text, headings, line=i + 1, line_end=i + 1) for i, text in enumerate(texts))
    store.knowledge.add_source("notes", FOLDER)
    store.knowledge.put_document(
        "notes", FOLDER, FOLDER / name, STAMP, ReadDocument("text", name, sha256, passages)
    )


def found(store: Store, text: str, vector: list[float] | None = None) -> list[str]:
    array = None if vector is None else np.array(vector, np.float32)
    return [hit.passage.text for hit in store.knowledge.search("notes", text, array)]


def embed(store: Store, vectors: dict[str, list[float]]) -> None:
    store.knowledge.set_model("notes", MODEL)
    waiting = store.knowledge.without_vector("notes", 100)
    store.knowledge.put_vectors(
        "notes", {hit.id: np.array(vectors[hit.passage.text], np.float32) for hit in waiting}
    )


def test_words_are_found_without_a_model(store: Store) -> None:
    put(store, "a.txt", "A router chooses experts.", "Nothing of that.")
    put(store, "b.txt", "混合专家模型很稀疏", headings=("Sparse",))
    assert found(store, "Which router is it?")[0] == "A router chooses experts."
    assert found(store, "什么是混合专家？") == ["混合专家模型很稀疏"]
    assert found(store, "sparse") == ["混合专家模型很稀疏"]
    assert found(store, "zebra") == []
    assert found(store, '") OR * NEAR( --') == []
    assert store.conversations.verify() == []


def test_a_new_version_replaces_the_old_one(store: Store) -> None:
    put(store, "a.txt", "old words")
    (old,) = store.knowledge.search("notes", "old")
    put(store, "a.txt", "new words", sha256="1")
    assert found(store, "old") == []
    assert found(store, "words") == ["new words"]
    with pytest.raises(NoSuchPassage):
        store.knowledge.passage(old.id)
    (document,) = store.knowledge.documents("notes")
    assert (document.sha256, document.n_passages) == ("1", 1)
    assert store.conversations.verify() == []


def test_a_refused_document_keeps_what_it_was(store: Store) -> None:
    put(store, "a.txt", "good words")
    store.knowledge.note_refused("notes", FOLDER, FOLDER / "a.txt", FileStamp(1, 2), "broken")
    (document,) = store.knowledge.documents("notes")
    assert (document.refused, document.stamp) == ("broken", FileStamp(1, 2))
    assert found(store, "good") == ["good words"]
    assert store.knowledge.get("notes").n_refused == 1
    store.knowledge.note_unchanged("notes", FOLDER, FOLDER / "a.txt", STAMP)
    assert store.knowledge.get("notes").n_refused == 0


def test_ranks_are_merged(store: Store) -> None:
    put(store, "a.txt", "zebra", "horse and zebra in the field of grass", "train", "tram")
    embed(
        store,
        {
            "zebra": [0, 1, 0],
            "horse and zebra in the field of grass": [1, 0.1, 0],
            "train": [0, 0.1, 1],
            "tram": [0, 0.2, 1],
        },
    )
    hits = store.knowledge.search("notes", "zebra", np.array([1, 0, 0], np.float32))
    assert [hit.passage.text for hit in hits][:2] == ["zebra", "horse and zebra in the field of grass"]
    assert (hits[1].word_rank, hits[1].vector_rank) == (2, 1)
    assert hits[1].score == pytest.approx(1 / 62 + 1 / 61)
    assert hits[-1].word_rank is None


@pytest.mark.skipif(not CAN_LOAD, reason=f"the SQLite of {sys.executable} loads no extensions")
def test_sqlite_vec_and_numpy_agree(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    texts = {f"text {i}": [float(x) for x in random.standard_normal(3)] for i in range(300)}
    put(store, "a.txt", *texts)
    embed(store, texts)
    question = [0.3, -0.2, 0.9]
    by_extension = found(store, "", question)
    monkeypatch.setattr(Vectors, "has_extension", False)
    assert found(store, "", question) == by_extension
    assert len(by_extension) == 10


def test_nearest_by_numpy_over_many_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.knowledge.vectors._BATCH_ROWS", 7)
    monkeypatch.setattr(Vectors, "has_extension", False)
    texts = {f"text {i}": [float(np.cos(i / 100)), float(np.sin(i / 100)), 0.0] for i in range(100)}
    put(store, "a.txt", *texts)
    embed(store, texts)
    assert found(store, "", [1.0, 0.0, 0.0])[:3] == ["text 0", "text 1", "text 2"]
    assert found(store, "", [float(np.cos(0.5)), float(np.sin(0.5)), 0.0])[0] == "text 50"


def test_another_model_forgets_the_vectors(store: Store) -> None:
    put(store, "a.txt", "one", "two")
    embed(store, {"one": [1, 0, 0], "two": [0, 1, 0]})
    assert store.knowledge.get("notes").n_vectors == 2
    store.knowledge.set_model("notes", MODEL)
    assert store.knowledge.get("notes").n_vectors == 2
    store.knowledge.set_model("notes", EmbeddingModel("large", None, 4))
    assert store.knowledge.get("notes").n_vectors == 0
    with pytest.raises(ValueError, match="not 4 numbers"):
        store.knowledge.put_vectors("notes", {1: np.ones(3, np.float32)})


def test_vectors_of_passages_that_went_are_left_out(store: Store) -> None:
    put(store, "a.txt", "one")
    store.knowledge.set_model("notes", MODEL)
    (waiting,) = store.knowledge.without_vector("notes", 10)
    put(store, "a.txt", "two", sha256="1")
    store.knowledge.put_vectors("notes", {waiting.id: np.ones(3, np.float32)})
    assert store.knowledge.get("notes").n_vectors == 0
    assert store.conversations.verify() == []


def test_removing(store: Store) -> None:
    put(store, "a.txt", "one")
    other = Path("/other.txt")
    store.knowledge.add_source("notes", other)
    store.knowledge.put_document(
        "notes", other, other, STAMP, ReadDocument("text", "t", "1", (Passage("two"),))
    )
    with pytest.raises(NoSuchSource):
        store.knowledge.remove_source("notes", Path("/elsewhere"))
    store.knowledge.remove_source("notes", FOLDER)
    assert found(store, "one two") == ["two"]
    store.knowledge.remove("notes")
    with pytest.raises(NoSuchCollection):
        store.knowledge.get("notes")
    with pytest.raises(NoSuchCollection):
        store.knowledge.search("notes", "two")
    assert store.knowledge.list() == []
    assert store.conversations.verify() == []


def test_two_collections_do_not_mix(store: Store) -> None:
    put(store, "a.txt", "same word")
    store.knowledge.add_source("others", FOLDER)
    assert store.knowledge.search("others", "word") == []
    assert [c.name for c in store.knowledge.list()] == ["notes", "others"]


def test_the_index_is_filled_again(store: Store, tmp_path: Path) -> None:
    put(store, "my_file.txt", "words", headings=("Head",))
    with closing(sqlite3.connect(tmp_path / "coterie.sqlite", isolation_level=None)) as other:
        other.execute("INSERT INTO search_passages (search_passages) VALUES ('delete-all')")
    assert store.conversations.verify() == ["passage 1 is missing from the search index"]
    store.knowledge.fill()
    assert found(store, "head") == ["words"]
    assert found(store, "file") == ["words"]
    put(store, "my_file.txt", "other", sha256="1")
    assert store.conversations.verify() == []


def test_other_tools_open_the_file(store: Store, tmp_path: Path) -> None:
    """No table of an extension: a plain SQLite reads, dumps and checks everything."""
    put(store, "a.txt", "one")
    embed(store, {"one": [1, 2, 2]})
    with closing(sqlite3.connect(tmp_path / "coterie.sqlite")) as plain:
        dump = "\n".join(plain.iterdump())
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (data,) = plain.execute("SELECT data FROM vectors").fetchone()
    assert "vec0" not in dump
    assert np.frombuffer(data, "<f4") == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_citations_stay_with_their_question(store: Store) -> None:
    conversation = store.conversations.create()
    citation = Citation(3, "notes", FOLDER / "a.txt", "a.txt", Passage("one", ("H",), 2, 5, 6))
    question = store.conversations.append(
        conversation.id, None, "user", [Part("text", "Well?")], citations=[citation]
    )
    other = store.conversations.append(conversation.id, question.id, "user", [Part("text", "So?")])
    assert store.citations.of([question.id, other.id]) == {question.id: (citation,)}
    store.trash.put(conversation.id)
    store.trash.empty()
    assert store.citations.of([question.id]) == {}
