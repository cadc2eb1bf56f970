"""Collections with the real starter as their embedding model, and files that change, break and vanish."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.knowledge import Found, Report
from app.orders import Ask, Edit, write
from app.paths import Paths
from app.reading import DocumentReader
from app.services import Services
from model_manager.engine.client import Cancel
from model_manager.errors import ModelNotFound
from storage.errors import DocumentRefused
from storage.knowledge.records import Citation, EmbeddingModel, Passage
from tests.helpers.documents import docx, paragraph, pdf

RIVERS = "The river runs from the mountains to the sea and carries sand and stones with it."
BREAD = "Knead the dough for ten minutes, let it rise, then bake the bread in a hot oven."
READER = (sys.executable, "-m", "app", "reader")


@pytest.fixture(scope="module")
def services(
    starter_path: Path, runtime_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    services = Services(Paths(tmp_path_factory.mktemp("data")), runtime_dir)
    yield services
    services.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "rivers.md").write_text(f"# Rivers\n\n{RIVERS}\n")
    (folder / "bread.docx").write_bytes(docx(paragraph("Bread", "berschrift1") + paragraph(BREAD)))
    return folder


def refresh(services: Services, name: str) -> Report:
    return services.knowledge.refresh(name, Cancel())


def find(services: Services, name: str, text: str) -> Found:
    return services.knowledge.find(name, text, Cancel(), limit=3)


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.n_read, report.n_unchanged, report.n_removed, len(report.refused)


def test_meaning_and_words_find_passages(services: Services, folder: Path) -> None:
    services.knowledge.add("meaning", [folder])
    services.knowledge.choose_model("meaning", "starter-dense")
    report = refresh(services, "meaning")
    assert counts(report) == (2, 0, 0, 0)
    assert (report.n_embedded, report.embedding_error) == (2, None)
    found = find(services, "meaning", BREAD)
    assert found.words_only == ""
    assert found.passages[0].passage == Passage(BREAD, ("Bread",))
    assert (found.passages[0].word_rank, found.passages[0].vector_rank) == (1, 1)
    assert refresh(services, "meaning").n_embedded == 0

    (folder / "bread.docx").unlink()
    (folder / "long.txt").write_text("word " * 100 + RIVERS)
    changed = refresh(services, "meaning")
    assert counts(changed) == (1, 1, 1, 0)
    assert changed.n_embedded == 1

    # Another file under the same name: its vectors must not be compared with those of before.
    kept = services.storage.call(lambda store: store.knowledge.get("meaning")).model
    assert kept is not None
    assert kept.n_dimensions == 576
    other = EmbeddingModel(kept.name, "00" * 32, 576)
    entry_sha256 = services.library.get("starter-dense").sha256
    services.storage.call(lambda store: store.knowledge.set_model("meaning", other))
    assert find(services, "meaning", RIVERS).words_only == "no_vectors"
    services.storage.call(
        lambda store: store.knowledge.put_vectors("meaning", _random_vectors(store, "meaning"))
    )
    assert find(services, "meaning", RIVERS).words_only == ("model_changed" if entry_sha256 else "")
    services.storage.call(
        lambda store: store.knowledge.set_model("meaning", EmbeddingModel("gone", None, 576))
    )
    services.storage.call(
        lambda store: store.knowledge.put_vectors("meaning", _random_vectors(store, "meaning"))
    )
    gone = find(services, "meaning", RIVERS)
    assert gone.words_only == "model_gone"
    assert gone.passages
    failed = refresh(services, "meaning")
    assert failed.embedding_error is None or isinstance(failed.embedding_error, ModelNotFound)
    with pytest.raises(ModelNotFound):
        services.knowledge.choose_model("meaning", "nothing")
    services.knowledge.choose_model("meaning", None)
    assert find(services, "meaning", RIVERS).words_only == "no_model"


def _random_vectors(store: object, name: str) -> dict[int, np.ndarray]:
    random = np.random.default_rng(1)
    waiting = store.knowledge.without_vector(name, 10)  # type: ignore[attr-defined]  # a Store
    return {hit.id: random.standard_normal(576).astype(np.float32) for hit in waiting}


def test_only_what_changed_is_read(services: Services, folder: Path) -> None:
    services.knowledge.add("changes", [folder])
    assert counts(refresh(services, "changes")) == (2, 0, 0, 0)
    assert counts(refresh(services, "changes")) == (0, 2, 0, 0)
    path = folder / "rivers.md"
    os.utime(path, ns=(1, 1))  # touched, with the same content
    assert counts(refresh(services, "changes")) == (0, 2, 0, 0)
    path.write_text("# Rivers\n\nNew words about lakes.\n")
    assert counts(refresh(services, "changes")) == (1, 1, 0, 0)
    assert find(services, "changes", "lakes").passages[0].passage.text == "New words about lakes."
    path.write_bytes(bytes(range(256)) * 8)
    broken = refresh(services, "changes")
    assert [error.why for error in broken.refused] == ["binary"]
    assert find(services, "changes", "lakes").passages, "what was indexed before stays"
    assert [error.why for error in refresh(services, "changes").refused] == ["binary"]
    path.unlink()
    assert counts(refresh(services, "changes")) == (0, 1, 1, 0)
    assert not find(services, "changes", "lakes").passages


def test_a_missing_disk_is_no_reason_to_forget(services: Services, folder: Path) -> None:
    services.knowledge.add("disk", [folder])
    refresh(services, "disk")
    moved = folder.rename(folder.with_name("elsewhere"))
    report = refresh(services, "disk")
    assert (report.missing, report.n_removed) == ([folder], 0)
    folder.mkdir()  # the empty folder that a disk is mounted on
    assert refresh(services, "disk").missing == [folder]
    assert find(services, "disk", "river").passages
    folder.rmdir()
    moved.rename(folder)
    assert counts(refresh(services, "disk")) == (0, 2, 0, 0)


def test_bad_files_are_told_and_hurt_nobody(services: Services, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("outside")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "round").symlink_to(folder)
    (folder / "itself.md").symlink_to("itself.md")
    Path(os.fsdecode(bytes(folder) + b"/caf\xe9.md")).write_text("a name of another time")
    (folder / "inside.md").symlink_to(folder / "rivers.md")
    (folder / ".hidden.txt").write_text("hidden")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8")
    (folder / "scan.pdf").write_bytes(pdf([""]))
    (folder / "half.pdf").write_bytes(pdf(["words"])[:80])
    services.knowledge.add("bad", [folder])
    report = refresh(services, "bad")
    assert report.n_read == 3
    assert sorted((error.path.name, error.why) for error in report.refused) == [
        ("caf\udce9.md", "bad_name"),
        ("half.pdf", "broken"),
        ("itself.md", "unreadable"),
        ("link.txt", "outside"),
        ("scan.pdf", "no_text"),
    ]
    assert not find(services, "bad", "outside hidden").passages
    with pytest.raises(DocumentRefused):
        services.knowledge.add("bad", [tmp_path / "nothing"])
    assert services.storage.call(lambda store: store.conversations.verify()) == []


def test_a_reader_that_hangs_or_dies_costs_one_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("words")
    sleeper = (sys.executable, "-c", "import sys; sys.stdin.read()")
    with DocumentReader(sleeper, max_wait_s=0.2) as reader, pytest.raises(DocumentRefused) as caught:
        reader.read(path, None)
    assert caught.value.why == "stuck"
    with DocumentReader(READER) as reader:
        first = reader.read(path, None)
        assert first is not None
        reader.stop()
        assert reader.read(path, None) == first
        assert reader.read(path, first.sha256) is None
        with pytest.raises(DocumentRefused):
            reader.read(tmp_path / "nothing.txt", None)


def test_passages_go_with_their_question(services: Services) -> None:
    citation = Citation(1, "notes", Path("/notes/a.md"), "a.md", Passage("Bread rises.", ("Bread",), line=3))
    entry = services.library.get("starter")

    def ask(text: str, conversation_id: int | None = None) -> tuple[int, int, str]:
        order = Ask(text, conversation_id, citations=(citation,))

        def run(store):  # type: ignore[no-untyped-def]  # a Store
            conversation = None if conversation_id is None else store.conversations.get(conversation_id)
            written = write(store, order, conversation, entry)
            store.conversations.finish_answer(written.answer.id, written.answer.parts, written.generation)
            return written

        written = services.storage.call(run)
        assert written.question is not None
        return (
            written.conversation.id,
            written.question.id,
            "\n".join(message.content for message in written.request.messages),
        )

    conversation_id, question_id, prompt = ask("Why?")
    assert "[1] a.md:3 Bread\nBread rises." in prompt
    assert prompt.endswith("Why?")
    _, _, prompt = ask("And then?", conversation_id)
    assert "[1] a.md:3" in prompt, "later turns still see the passages"
    assert "[2] a.md:3" in prompt, "and the new ones count on"

    edited = services.storage.call(
        lambda store: write(
            store, Edit(question_id, "Why so?"), store.conversations.get(conversation_id), entry
        )
    )
    assert "[1] a.md:3" in edited.request.messages[-1].content
