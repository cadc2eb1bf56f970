"""The folders as a person keeps them in order."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from storage.records import Folder
from ui.folders_dialog import FoldersDialog
from ui.name_dialog import NameDialog
from ui.question import Question


@pytest.fixture
def dialog(qtbot: QtBot) -> FoldersDialog:
    made = FoldersDialog()
    qtbot.addWidget(made)
    made.set_folders([Folder("Home", 0), Folder("Work/" + "long " * 40, 3)])
    made.show()
    return made


def test_folders_are_renamed_and_removed(
    qtbot: QtBot, dialog: FoldersDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [dialog.list.item(n).text()[:7] for n in range(2)] == ["Home  ·", "Work/lo"]
    monkeypatch.setattr(NameDialog, "ask", lambda *_args: "Abroad")
    with qtbot.waitSignal(dialog.rename_requested) as renamed:
        qtbot.keyClick(dialog.list, Qt.Key.Key_Return)
    assert renamed.args == ["Home", "Abroad"]
    asked: list[Any] = []
    monkeypatch.setattr(Question, "ask", lambda *args: asked.append(args[1]) or True)
    with qtbot.waitSignal(dialog.remove_requested) as removed:
        qtbot.mouseClick(dialog.remove_button, Qt.MouseButton.LeftButton)
    assert removed.args == ["Home"]
    assert asked == ["Remove the folder “Home”?"]


def test_nothing_is_done_to_a_folder_that_keeps_its_name(
    qtbot: QtBot, dialog: FoldersDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in ("", "Home"):
        monkeypatch.setattr(NameDialog, "ask", lambda *_args, given=given: given)
        with qtbot.assertNotEmitted(dialog.rename_requested):
            dialog.rename_button.click()


def test_no_folder_is_an_explanation(dialog: FoldersDialog) -> None:
    dialog.set_folders([])
    assert "Move to a folder" in dialog.words.text()
    assert not dialog.rename_button.isEnabled()
    assert not dialog.remove_button.isEnabled()
