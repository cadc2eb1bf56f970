"""Documents by the window, with everything behind it: added, asked about, cited, taken out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.integration.test_window_wiring import Coterie
from ui.knowledge.collections_dialog import CollectionsDialog
from ui.knowledge.passages_dialog import PassagesDialog

TIMEOUT_MS = 30_000


@pytest.fixture
def coterie(tmp_path: Path, qtbot: QtBot) -> Iterator[Coterie]:
    made = Coterie(tmp_path / "data", qtbot)
    yield made
    made.close()


def test_an_answer_from_documents(coterie: Coterie, qtbot: QtBot, tmp_path: Path) -> None:
    window, knowledge = coterie.window, coterie.wiring.knowledge
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "bees.md").write_text("# Bees\n\nBees make honey from nectar.\n")
    (notes / "empty.md").write_text("")

    window.commands.action("Documents…").trigger()
    (dialog,) = window.findChildren(CollectionsDialog)
    with qtbot.waitSignal(knowledge.documents_listed, timeout=TIMEOUT_MS):
        dialog.add_requested.emit("notes", [str(notes)])
    assert "1 read" in dialog.told.text()
    assert "empty.md" in dialog.told.text()
    qtbot.waitUntil(lambda: dialog.tree.topLevelItemCount() == 1, timeout=TIMEOUT_MS)
    dialog.close()

    button = window.page.composer.collection_button
    assert button.text() == "notes", "what was added is used"
    button.chosen.emit("")
    assert knowledge.finder("Where?") is None
    button.chosen.emit("notes")
    with qtbot.waitSignal(knowledge.cited, timeout=TIMEOUT_MS) as cited:
        answer = coterie.ask("Where does honey come from?")
    ((passage,),) = cited.args[0].values()
    assert (passage.number, passage.place) == (1, "bees.md:3 Bees")
    item = window.page.transcript.scene.items[-1]
    qtbot.waitUntil(lambda: item.sources == (passage,), timeout=TIMEOUT_MS)
    assert item.message.id == answer.id
    window.page.transcript.control_activated.emit(1, "passages")
    (shown,) = window.findChildren(PassagesDialog)
    assert shown.text_view.toPlainText() == "Bees make honey from nectar."
    shown.close()

    # The conversation goes on with its documents, and another one is without.
    conversation_id = coterie.chat.conversation_id
    window.new_conversation_requested.emit()
    assert button.text() == "Documents"
    with qtbot.waitSignal(coterie.chat.shown, timeout=TIMEOUT_MS):
        window.conversation_selected.emit(conversation_id)
    assert button.text() == "notes"


def test_what_it_was_answered_from_is_known_after_a_restart(
    coterie: Coterie, qtbot: QtBot, tmp_path: Path
) -> None:
    knowledge = coterie.wiring.knowledge
    (tmp_path / "bees.md").write_text("Bees make honey.\n")
    with qtbot.waitSignal(knowledge.documents_listed, timeout=TIMEOUT_MS):
        coterie.window.commands.action("Documents…").trigger()
        knowledge.add("notes", [str(tmp_path / "bees.md")])
    knowledge.choose("notes")
    coterie.ask("honey?")
    conversation_id = coterie.chat.conversation_id
    knowledge._choices.clear()
    coterie.window.new_conversation_requested.emit()
    with qtbot.waitSignal(knowledge.cited, timeout=TIMEOUT_MS):
        coterie.window.conversation_selected.emit(conversation_id)
    assert knowledge.collection == "notes"


def test_a_collection_that_is_gone_gives_the_question_back(coterie: Coterie, qtbot: QtBot) -> None:
    coterie.wiring.knowledge.choose("gone")
    with qtbot.waitSignal(coterie.chat.draft_returned, timeout=TIMEOUT_MS) as returned:
        coterie.window.send_requested.emit("honey?")
    assert returned.args == ["honey?"]
    assert coterie.wiring.knowledge.collection == ""
    assert "gone" in coterie.window.page.notice_bar.sentence_label.text()


def test_taking_out_and_removing(coterie: Coterie, qtbot: QtBot, tmp_path: Path) -> None:
    knowledge = coterie.wiring.knowledge
    (tmp_path / "a.md").write_text("one\n")
    (tmp_path / "b.md").write_text("two\n")
    with qtbot.waitSignal(knowledge.listed, timeout=TIMEOUT_MS, check_params_cb=lambda rows, _name: rows):
        knowledge.add("notes", [str(tmp_path / "a.md"), str(tmp_path / "b.md")])
    knowledge.choose("notes")
    with qtbot.waitSignal(knowledge.listed, timeout=TIMEOUT_MS) as listed:
        knowledge.remove_source("notes", str(tmp_path / "a.md"))
    ((row,), name) = listed.args
    assert (row.n_documents, name) == (1, "notes")
    (tmp_path / "b.md").write_text("two and more\n")
    with qtbot.waitSignal(knowledge.listed, timeout=TIMEOUT_MS):
        knowledge.refresh("notes")
        knowledge.refresh("notes")  # ignored while the other runs
    with qtbot.waitSignal(knowledge.listed, timeout=TIMEOUT_MS) as listed:
        knowledge.remove("notes")
    assert listed.args == [(), ""]
    assert coterie.window.page.composer.collection_button.text() == "Documents"
    with qtbot.waitSignal(knowledge.failed, timeout=TIMEOUT_MS):
        knowledge.add("notes", [str(tmp_path / "nothing.md")])
