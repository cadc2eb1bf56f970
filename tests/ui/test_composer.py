from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from ui.chat.composer import N_LINES_MAX, Composer
from ui.chat.thinking_button import ThinkingButton


@pytest.fixture
def composer(qtbot: QtBot) -> Composer:
    widget = Composer()
    qtbot.addWidget(widget)
    widget.resize(600, 120)
    widget.show()
    return widget


def test_enter_sends_and_empties_the_field(qtbot: QtBot, composer: Composer) -> None:
    qtbot.keyClicks(composer.field, "Hello ")
    with qtbot.waitSignal(composer.send_requested) as sent:
        qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert sent.args == ["Hello"]
    assert composer.text() == ""


def test_shift_enter_starts_a_line(qtbot: QtBot, composer: Composer) -> None:
    with qtbot.assertNotEmitted(composer.send_requested):
        qtbot.keyClicks(composer.field, "a")
        qtbot.keyClick(composer.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
        qtbot.keyClicks(composer.field, "b")
    assert composer.text() == "a\nb"


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_nothing_is_not_sent(qtbot: QtBot, composer: Composer, text: str) -> None:
    composer.set_text(text)
    with qtbot.assertNotEmitted(composer.send_requested):
        qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert not composer.button.isEnabled()


def test_enter_belongs_to_an_input_method_that_composes(qtbot: QtBot, composer: Composer) -> None:
    composer.set_text("你")
    QApplication.sendEvent(composer.field, QInputMethodEvent("hao", []))
    with qtbot.assertNotEmitted(composer.send_requested):
        qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    commit = QInputMethodEvent("", [])
    commit.setCommitString("好")
    QApplication.sendEvent(composer.field, commit)
    with qtbot.waitSignal(composer.send_requested) as sent:
        qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert "好" in sent.args[0]


def test_it_grows_to_eight_lines_and_no_further(qtbot: QtBot, composer: Composer) -> None:
    one = composer.field.height()
    composer.set_text("\n".join("12345"))
    five = composer.field.height()
    composer.set_text("\n".join("x" * N_LINES_MAX))
    eight = composer.field.height()
    composer.set_text("\n".join("x" * 50))
    assert one < five < eight == composer.field.height()
    composer.set_text("")
    assert composer.field.height() == one


def test_a_long_line_wraps_and_grows(qtbot: QtBot, composer: Composer) -> None:
    one = composer.field.height()
    composer.set_text("word " * 60)
    qtbot.waitUntil(lambda: composer.field.height() > one)


def test_while_busy_the_button_and_escape_stop(qtbot: QtBot, composer: Composer) -> None:
    composer.set_busy(True)
    composer.set_text("next question")
    assert composer.button.accessibleName() == "Stop"
    with qtbot.assertNotEmitted(composer.send_requested):
        qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    with qtbot.waitSignal(composer.stop_requested):
        qtbot.mouseClick(composer.button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(composer.stop_requested):
        qtbot.keyClick(composer.field, Qt.Key.Key_Escape)
    assert composer.text() == "next question"


def test_escape_does_nothing_when_idle(qtbot: QtBot, composer: Composer) -> None:
    with qtbot.assertNotEmitted(composer.stop_requested):
        qtbot.keyClick(composer.field, Qt.Key.Key_Escape)


def test_a_refusal_is_said_and_keeps_the_text(qtbot: QtBot, composer: Composer) -> None:
    composer.set_refusal("Choose a model first.")
    qtbot.keyClicks(composer.field, "kept")
    with qtbot.assertNotEmitted(composer.send_requested):
        qtbot.keyClick(composer.field, Qt.Key.Key_Return)
    assert composer.text() == "kept"
    assert composer.hint_label.text() == "Choose a model first."
    composer.set_refusal("")
    assert composer.button.isEnabled()


def test_the_button_sends_and_gives_the_focus_back(qtbot: QtBot, composer: Composer) -> None:
    composer.set_text("by mouse")
    with qtbot.waitSignal(composer.send_requested):
        qtbot.mouseClick(composer.button, Qt.MouseButton.LeftButton)


def choose(button: ThinkingButton, text: str) -> None:
    button.menu().aboutToShow.emit()
    next(action for action in button.menu().actions() if action.text() == text).trigger()


def test_thinking_is_hidden_until_a_model_can(composer: Composer) -> None:
    assert composer.thinking_button.isHidden()


def test_thinking_is_chosen_from_a_menu(qtbot: QtBot, composer: Composer) -> None:
    button = composer.thinking_button
    button.show()
    with qtbot.waitSignal(button.changed) as told:
        choose(button, "Think first")
    assert told.args == [{"thinking": "on", "think_budget_tokens": None, "reasoning_effort": None}]
    with qtbot.waitSignal(button.changed) as told:
        choose(button, "1,024 tokens")
    assert told.args == [{"thinking": "on", "think_budget_tokens": 1024, "reasoning_effort": None}]
    assert button.text() == "Think first · 1,024"
    choose(button, "Answer at once")
    assert button.text() == "Answer at once"


def test_a_budget_of_ones_own_is_offered_too(composer: Composer) -> None:
    button = composer.thinking_button
    button.set_values({"think_budget_tokens": 777})
    button.menu().aboutToShow.emit()
    checked = [action.text() for action in button.menu().actions() if action.isChecked()]
    assert checked == ["Think as the model likes", "777 tokens"]
    button.set_values({})
    assert button.values() == {"thinking": "auto", "think_budget_tokens": None, "reasoning_effort": None}


def test_effort_is_offered_where_the_template_has_words_for_it(qtbot: QtBot, composer: Composer) -> None:
    button = composer.thinking_button
    button.menu().aboutToShow.emit()
    assert "Effort" not in [action.text() for action in button.menu().actions()]
    button.set_takes_effort(True)
    with qtbot.waitSignal(button.changed) as told:
        choose(button, "High")
    assert told.args == [{"thinking": "auto", "think_budget_tokens": None, "reasoning_effort": "high"}]
    assert button.text() == "Think as the model likes · High"
    button.set_values({"reasoning_effort": "xhigh"})
    button.menu().aboutToShow.emit()
    checked = [action.text() for action in button.menu().actions() if action.isChecked()]
    assert checked == ["Think as the model likes", "xhigh", "No limit"]


def test_it_says_where_the_words_go(composer: Composer) -> None:
    assert "stays on this computer" in composer.hint_label.text()
    composer.set_address("https://gpu.example/v1")
    assert "https://gpu.example/v1" in composer.hint_label.text()
    assert "this computer" not in composer.hint_label.text()
    composer.set_address("")
    assert "stays on this computer" in composer.hint_label.text()
