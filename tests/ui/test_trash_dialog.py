from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from storage.records import Conversation
from ui import i18n
from ui.question import Question
from ui.trash_dialog import TrashDialog

NOW = datetime.now(UTC)


def thrown(number: int) -> Conversation:
    return Conversation(number, f"Number {number}", NOW, NOW, deleted_at=NOW)


@pytest.fixture
def dialog(qtbot: QtBot) -> TrashDialog:
    dialog = TrashDialog(30)
    qtbot.addWidget(dialog)
    dialog.set_conversations([thrown(3), thrown(1)])
    return dialog


def test_chosen_are_taken_back(qtbot: QtBot, dialog: TrashDialog) -> None:
    assert dialog.list.count() == 2
    assert "30 days" in dialog.words.text()
    dialog.list.selectAll()
    with qtbot.waitSignal(dialog.restore_requested) as restored:
        qtbot.mouseClick(dialog.restore_button, Qt.MouseButton.LeftButton)
    assert restored.args == [(3, 1)]


@pytest.mark.parametrize("answer", [None, 0, 1])
def test_deletion_asks_first(
    qtbot: QtBot, dialog: TrashDialog, monkeypatch: pytest.MonkeyPatch, answer: int | None
) -> None:
    asked: list[str] = []

    def ask(_parent: object, question: str, *_more: object) -> int | None:
        asked.append(question)
        return answer

    monkeypatch.setattr(Question, "ask_which", ask)
    deleted: list[Any] = []
    erased: list[Any] = []
    dialog.delete_requested.connect(deleted.append)
    dialog.erase_requested.connect(erased.append)
    qtbot.mouseClick(dialog.delete_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(dialog.empty_button, Qt.MouseButton.LeftButton)
    assert asked == ["Delete 1 conversation?", "Delete 2 conversations?"]
    assert deleted == ([(3,), (3, 1)] if answer == 0 else [])
    assert erased == ([(3,), (3, 1)] if answer == 1 else [])


def test_empty_trash_says_so_and_offers_nothing(dialog: TrashDialog) -> None:
    dialog.set_conversations([])
    assert dialog.words.text() == "The trash is empty."
    assert not dialog.restore_button.isEnabled()
    assert not dialog.delete_button.isEnabled()
    assert not dialog.empty_button.isEnabled()


def test_choice_stays_with_what_is_left_and_titles_may_be_long(dialog: TrashDialog) -> None:
    dialog.list.setCurrentRow(1)
    dialog.set_conversations([replace(thrown(1), title="long " * 100), thrown(2)])
    assert [item.data(Qt.ItemDataRole.UserRole) for item in dialog.list.selectedItems()] == [1]
    assert dialog.width() < 800


def test_words_follow_the_language(dialog: TrashDialog) -> None:
    i18n.set_language("zh_CN")
    dialog.retranslate()
    assert dialog.windowTitle() == "回收站"
    assert "30" in dialog.words.text()
