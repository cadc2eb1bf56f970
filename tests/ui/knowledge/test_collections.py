"""Collections of documents in the window: the button, the dialog, the passages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QInputDialog
from pytestqt.qtbot import QtBot

from tests.helpers.knowledge_samples import COLLECTIONS, PASSAGES, SOURCES
from ui import i18n
from ui.knowledge.collection_button import CollectionButton
from ui.knowledge.collections_dialog import CollectionsDialog
from ui.knowledge.passages_dialog import PassagesDialog
from ui.knowledge.values import CitedPassage
from ui.question import Question

PAPERS = COLLECTIONS[0].name


@pytest.fixture
def dialog(qtbot: QtBot) -> CollectionsDialog:
    dialog = CollectionsDialog()
    qtbot.addWidget(dialog)
    dialog.set_models(["starter-dense"])
    dialog.show()
    return dialog


def click(qtbot: QtBot, button: Any) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_button_offers_what_there_is(qtbot: QtBot) -> None:
    button = CollectionButton()
    qtbot.addWidget(button)
    button.set_collections(COLLECTIONS)
    button.menu().aboutToShow.emit()
    texts = [action.text() for action in button.menu().actions() if not action.isSeparator()]
    assert texts[:2] == ["Answer without documents", f"{PAPERS} · 4 documents"]
    with qtbot.waitSignal(button.chosen) as chosen:
        button.menu().actions()[1].trigger()
    assert chosen.args == [PAPERS]
    assert button.text() == PAPERS
    button.menu().aboutToShow.emit()
    assert [action.isChecked() for action in button.menu().actions()[:2]] == [False, True]
    with qtbot.waitSignal(button.dialog_requested):
        button.menu().actions()[-1].trigger()
    button.set_name("")
    i18n.set_language("zh_CN")
    button.changeEvent(QEvent(QEvent.Type.LanguageChange))
    assert button.text() == "文档"


def test_the_first_files_make_a_collection(
    qtbot: QtBot, dialog: CollectionsDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "stays on this computer" in dialog.words.text()
    assert not dialog.refresh_button.isEnabled()
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_a, **_k: (["/a.md", "/b.pdf"], ""))
    with qtbot.waitSignal(dialog.add_requested) as added:
        click(qtbot, dialog.files_button)
    assert added.args == ["Documents", ["/a.md", "/b.pdf"]]


def test_a_new_name_waits_for_its_documents(
    qtbot: QtBot, dialog: CollectionsDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog.set_collections(COLLECTIONS)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_a, **_k: (" Bread ", True))
    click(qtbot, dialog.new_button)
    assert dialog.name() == "Bread"
    assert not dialog.remove_button.isEnabled()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_a, **_k: "/bread")
    with qtbot.waitSignal(dialog.add_requested) as added:
        click(qtbot, dialog.folder_button)
    assert added.args == ["Bread", ["/bread"]]


def test_documents_of_the_chosen_collection_are_shown(qtbot: QtBot, dialog: CollectionsDialog) -> None:
    with qtbot.waitSignal(dialog.documents_wanted) as wanted:
        dialog.set_collections(COLLECTIONS)
    assert wanted.args == [PAPERS]
    dialog.set_documents("another", SOURCES)
    assert dialog.tree.topLevelItemCount() == 0
    dialog.set_documents(PAPERS, SOURCES)
    folder, file = (dialog.tree.topLevelItem(n) for n in range(2))
    assert (folder.childCount(), file.childCount()) == (3, 0)
    assert folder.child(2).text(1) == "not read"
    assert "scan" in folder.child(2).toolTip(1)
    assert not dialog.source_button.isEnabled()
    folder.child(0).setSelected(True)
    with qtbot.waitSignal(dialog.source_removed) as removed:
        click(qtbot, dialog.source_button)
    assert removed.args == [PAPERS, SOURCES[0].path]


def test_a_model_adds_search_by_meaning(qtbot: QtBot, dialog: CollectionsDialog) -> None:
    dialog.set_collections(COLLECTIONS)
    assert dialog.models.currentData() == "starter-dense"
    dialog.set_collections(COLLECTIONS, COLLECTIONS[1].name)
    assert "480" in dialog.words.text()
    with qtbot.waitSignal(dialog.model_chosen) as chosen:
        dialog.models.setCurrentIndex(0)
        dialog.models.activated.emit(0)
    assert chosen.args == [COLLECTIONS[1].name, ""]


def test_while_reading_there_is_only_stop(qtbot: QtBot, dialog: CollectionsDialog) -> None:
    dialog.set_collections(COLLECTIONS)
    dialog.set_progress("Reading…", -1)
    assert dialog.bar.isVisible()
    assert not any(one.isEnabled() for one in (dialog.files_button, dialog.refresh_button, dialog.names))
    with qtbot.waitSignal(dialog.stop_requested):
        click(qtbot, dialog.stop_button)
    dialog.set_progress("2 read", None)
    assert not dialog.bar.isVisible()
    assert dialog.told.text() == "2 read"
    with qtbot.waitSignal(dialog.refresh_requested) as wanted:
        click(qtbot, dialog.refresh_button)
    assert wanted.args == [PAPERS]


@pytest.mark.parametrize("answer", [True, False])
def test_removing_asks(
    qtbot: QtBot, dialog: CollectionsDialog, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    dialog.set_collections(COLLECTIONS)
    monkeypatch.setattr(Question, "ask", lambda *_arguments: answer)
    removed: list[str] = []
    dialog.remove_requested.connect(removed.append)
    click(qtbot, dialog.remove_button)
    assert removed == [PAPERS] * answer


def test_a_passage_opens_its_document(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here.md").write_text("words")
    here = CitedPassage(7, "here.md:1", str(tmp_path / "here.md"), "words")
    dialog = PassagesDialog([*PASSAGES, here], 7)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.text_view.toPlainText() == "words"
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    click(qtbot, dialog.open_button)
    assert [Path(url.toLocalFile()) for url in opened] == [tmp_path / "here.md"]
    dialog.list.setCurrentRow(0)
    assert not dialog.open_button.isEnabled()  # the document is gone, its words are not
    assert "router" in dialog.text_view.toPlainText()
