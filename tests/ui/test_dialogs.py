from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from ui.chat.conversation_settings import ConversationSettingsDialog
from ui.question import Question
from ui.settings.settings_dialog import ModelsFolder, SettingsDialog
from ui.values import ConversationSettings

# --- settings of the program ---


@pytest.fixture
def settings(qtbot: QtBot) -> SettingsDialog:
    dialog = SettingsDialog()
    qtbot.addWidget(dialog)
    dialog.set_values(
        {
            "theme": "dark",
            "language": "en",
            "n_ctx_tokens": 4096,
            "models_dir": None,
            "hub_endpoint": "https://hub.example",
            "offline": False,
            "sampling_defaults": {"temperature": 0.3},
        }
    )
    dialog.show()
    return dialog


def test_settings_are_shown_without_saying_that_they_changed(qtbot: QtBot, settings: SettingsDialog) -> None:
    with qtbot.assertNotEmitted(settings.setting_changed):
        settings.set_values({"theme": "light", "n_ctx_tokens": 2048, "offline": True})
    assert settings.theme_box.currentData() == "light"
    assert settings.context_field.value() == 2048
    assert settings.network.offline_box.isChecked()
    assert settings.form.values() == {"temperature": 0.3}


def test_each_change_is_said(qtbot: QtBot, settings: SettingsDialog, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, object] = {}
    settings.setting_changed.connect(said.__setitem__)
    qtbot.keyClick(settings.theme_box, Qt.Key.Key_Up)
    qtbot.mouseClick(
        settings.network.offline_box,
        Qt.MouseButton.LeftButton,
        pos=settings.network.offline_box.rect().center(),
    )
    settings.network.offline_box.setChecked(True)
    settings.context_field.setValue(8192)
    settings.network.endpoint_field.selectAll()
    qtbot.keyClicks(settings.network.endpoint_field, "https://mirror.example/")
    settings.network.endpoint_field.editingFinished.emit()
    monkeypatch.setattr(ModelsFolder, "ask", lambda _parent, _current: "/big/disk")
    settings.folder_button.click()
    assert said["models_dir"] == "/big/disk"
    settings.folder_reset_button.click()
    settings.form.rows["top_k"].editor.setValue(20)
    assert said == {
        "theme": "light",
        "offline": True,
        "n_ctx_tokens": 8192,
        "hub_endpoint": "https://mirror.example",
        "models_dir": None,
        "sampling_defaults": {"temperature": 0.3, "top_k": 20},
    }


# --- settings of a conversation ---


@pytest.fixture
def conversation(qtbot: QtBot) -> ConversationSettingsDialog:
    values = ConversationSettings("Title", "Be kind.", {"temperature": 0.0, "future": 1})
    dialog = ConversationSettingsDialog(values, {"top_p": 0.5})
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_unchanged_settings_say_nothing(qtbot: QtBot, conversation: ConversationSettingsDialog) -> None:
    with qtbot.assertNotEmitted(conversation.changed):
        conversation.save_button.click()


def test_cancel_says_nothing(qtbot: QtBot, conversation: ConversationSettingsDialog) -> None:
    conversation.title_field.setText("Other")
    with qtbot.assertNotEmitted(conversation.changed):
        conversation.cancel_button.click()


def test_only_what_was_touched_becomes_an_override(
    qtbot: QtBot, conversation: ConversationSettingsDialog
) -> None:
    rows = conversation.form.rows
    rows["seed"].editor.setValue(42)
    rows["max_tokens"].editor.setValue(200)
    rows["thinking"].editor.setCurrentIndex(2)
    rows["think_budget_tokens"].editor.setValue(100)
    with qtbot.waitSignal(conversation.changed) as changed:
        conversation.save_button.click()
    assert changed.args[0].sampling == {
        "temperature": 0.0,
        "future": 1,
        "seed": 42,
        "max_tokens": 200,
        "thinking": "off",
        "think_budget_tokens": 100,
    }


def test_a_way_back_to_each_default(qtbot: QtBot, conversation: ConversationSettingsDialog) -> None:
    row_of = conversation.form.rows
    assert row_of["top_p"].editor.value() == 0.5
    assert not row_of["top_p"].reset_button.isEnabled()
    assert row_of["temperature"].editor.value() == 0.0
    assert "0.8" in row_of["temperature"].reset_button.toolTip()
    qtbot.mouseClick(row_of["temperature"].reset_button, Qt.MouseButton.LeftButton)
    assert row_of["temperature"].editor.value() == 0.8
    assert "temperature" not in conversation.values().sampling


def test_the_lowest_value_means_none(conversation: ConversationSettingsDialog) -> None:
    conversation.form.rows["seed"].editor.setValue(7)
    conversation.form.rows["seed"].editor.setValue(-1)
    assert conversation.values().sampling["seed"] is None
    conversation.form.rows["top_k"].editor.setValue(0)
    assert conversation.values().sampling["top_k"] == 0


# --- questions ---


@pytest.mark.parametrize(("label", "expected"), [("Delete", True), ("Cancel", False)])
def test_a_question_is_answered_by_its_buttons(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, label: str, expected: bool
) -> None:
    def answer(box: QMessageBox) -> int:
        next(button for button in box.buttons() if button.text() == label).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answer)
    parent = QWidget()
    qtbot.addWidget(parent)
    assert Question.ask(parent, "Delete?", "For good.", "Delete") is expected
