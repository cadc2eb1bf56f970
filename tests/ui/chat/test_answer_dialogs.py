"""What can be done with an answer: run it again with other settings, compare two versions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from storage.records import Generation
from tests.helpers.knowledge_samples import COMPARISON
from tests.ui.chat.conftest import at_control, make_message
from ui.chat import message_words
from ui.chat.compare_dialog import CompareDialog
from ui.chat.rerun_dialog import RerunDialog
from ui.chat.transcript import Transcript

MADE = Generation(
    "model-a",
    parameters={"seed": 2**32 - 2, "temperature": 0.5, "max_tokens": None, "stop": []},
    reasoning_tokens=200,
    reasoning_ms=4000.0,
    think_budget_tokens=200,
    thinking_ended_by="budget",
)


def test_an_answer_has_its_own_menu(qtbot: QtBot, view: Transcript) -> None:
    first = make_message(2, text="One.", siblings=(2, 3))
    view.set_messages([make_message(1, "user", "Why?"), first])
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at_control(view, 1, "more"))
    menu = next(child for child in view.findChildren(QMenu) if child.isVisible())
    rerun, compare = menu.actions()
    with qtbot.waitSignal(view.rerun_requested) as asked:
        rerun.trigger()
    assert asked.args == [first]
    with qtbot.waitSignal(view.compare_requested) as asked:
        compare.trigger()
    assert asked.args == [first]
    menu.close()
    # One that came from another program, and has no other version.
    view.set_messages(
        [make_message(1, "user", "Why?"), replace(make_message(2, text="One."), generation=None)]
    )
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at_control(view, 1, "more"))
    menu = next(child for child in view.findChildren(QMenu) if child.isVisible())
    assert not any(action.isEnabled() for action in menu.actions())
    menu.close()


def test_a_rerun_begins_with_how_the_answer_was_made(qtbot: QtBot) -> None:
    message = replace(make_message(2, text="One."), generation=MADE)
    dialog = RerunDialog(message, ["model-b", "model-a"])
    qtbot.addWidget(dialog)
    assert dialog.models.currentText() == "model-a"
    assert dialog.form.rows["seed"].editor.value() == 2**32 - 2  # type: ignore[union-attr]  # no QComboBox
    dialog.models.setCurrentText("model-b")
    dialog.form.rows["seed"].editor.setValue(9)  # type: ignore[union-attr]  # a QSpinBox
    with qtbot.waitSignal(dialog.run_requested) as asked:
        qtbot.mouseClick(dialog.run_button, Qt.MouseButton.LeftButton)
    assert asked.args == [2, "model-b", {"seed": 9, "temperature": 0.5, "max_tokens": None, "stop": []}]


def test_two_versions_stand_side_by_side(qtbot: QtBot) -> None:
    dialog = CompareDialog((2, 4, 6), 4)
    qtbot.addWidget(dialog)
    dialog.show()
    with qtbot.waitSignal(dialog.wanted) as wanted:
        dialog.compare()
    assert wanted.args == [4, 6]
    with qtbot.waitSignal(dialog.wanted) as wanted:
        dialog.choices[1].setCurrentIndex(0)
    assert wanted.args == [4, 2]
    dialog.set_comparison(replace(COMPARISON, second_id=6))
    assert dialog.views[0].toPlainText() == ""  # late: another is chosen by now
    dialog.set_comparison(COMPARISON)
    assert "many small networks" in dialog.views[0].toPlainText()
    assert "feed-forward" in dialog.views[1].toPlainText()
    assert "feed-forward" not in dialog.views[0].toPlainText()
    assert dialog.same_label.text() == "71 % the same"
    qtbot.mouseClick(dialog.tabs["reasoning"], Qt.MouseButton.LeftButton)
    assert [view.toPlainText() for view in dialog.views] == ["", "First the idea, then an example."]
    without = replace(COMPARISON, texts=COMPARISON.texts[1:])
    dialog.set_comparison(without)
    assert not dialog.tabs["reasoning"].isVisible()
    assert dialog.tabs["text"].isChecked()


@pytest.mark.parametrize(
    ("ended_by", "budget", "words"),
    [
        ("budget", 200, "ended by the budget of 200"),
        ("budget", None, "ended by the budget"),
        ("person", None, "ended by you"),
        ("limit", 200, "cut off"),
        ("model", 200, "50.0 tokens/s"),
        (None, None, "50.0 tokens/s"),
    ],
)
def test_what_ended_the_thinking_is_told(ended_by: str | None, budget: int | None, words: str) -> None:
    made = replace(MADE, thinking_ended_by=ended_by, think_budget_tokens=budget)
    asked = replace(made, effort="low", thinking_ended_by=None)
    told = message_words.thinking(replace(make_message(2, reasoning="Hm."), generation=asked), None)
    assert told.endswith("50.0 tokens/s · effort low")
    told = message_words.thinking(replace(make_message(2, reasoning="Hm."), generation=made), None)
    assert told.startswith("Thought for 4 s · 200 tokens · 50.0 tokens/s")
    assert words in told.rpartition(" · ")[2]
