from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from model_manager import errors
from model_manager.types import DownloadSnapshot
from tests.helpers import window_samples as samples
from ui.chat.conversation_settings import ConversationSettingsDialog
from ui.library.download_rows import DownloadRow, describe, progress_permille
from ui.library.downloads_dialog import DownloadsDialog
from ui.library.model_rows import ModelRow
from ui.library.models_dialog import ModelFile, ModelsDialog
from ui.question import Question
from ui.settings.settings_dialog import ModelsFolder, SettingsDialog
from ui.values import ConversationSettings


def yes(*_args: object) -> bool:
    return True


def no(*_args: object) -> bool:
    return False


# --- downloads ---


@pytest.fixture
def downloads(qtbot: QtBot) -> DownloadsDialog:
    dialog = DownloadsDialog()
    qtbot.addWidget(dialog)
    dialog.set_downloads(samples.downloads())
    dialog.show()
    return dialog


def row(dialog: DownloadsDialog, download_id: int) -> DownloadRow:
    found = dialog.cards.card(download_id)
    assert isinstance(found, DownloadRow)
    return found


def test_enter_starts_a_download(qtbot: QtBot, downloads: DownloadsDialog) -> None:
    qtbot.keyClicks(downloads.reference_field, " owner/repo:Q4_K_M ")
    with qtbot.waitSignal(downloads.download_requested) as asked:
        qtbot.keyClick(downloads.reference_field, Qt.Key.Key_Return)
    assert asked.args == ["owner/repo:Q4_K_M"]
    assert downloads.reference_field.text() == ""
    assert downloads.isVisible()


def test_an_empty_reference_starts_nothing(qtbot: QtBot, downloads: DownloadsDialog) -> None:
    with qtbot.assertNotEmitted(downloads.download_requested):
        qtbot.keyClick(downloads.reference_field, Qt.Key.Key_Return)
    assert not downloads.start_button.isEnabled()


def test_progress_is_per_mille_of_any_size() -> None:
    huge = DownloadSnapshot(1, "r", "n", "running", 3_000_000_000_000, 4_000_000_000_000)
    assert progress_permille(huge) == 750
    assert progress_permille(replace(huge, size_bytes=None)) is None
    assert progress_permille(replace(huge, size_bytes=0)) is None
    assert progress_permille(replace(huge, received_bytes=9 * 10**12)) == 1000
    assert progress_permille(replace(huge, size_bytes=None, status="done")) == 1000


@pytest.mark.parametrize(
    ("download_id", "words"),
    [
        (1, "7.31 GB of 17.7 GB · 38.4 MB/s · 4 min 31 s left"),
        (2, "Paused · 2.00 GB of 12.1 GB"),
        (3, "Waiting for its turn"),
        (4, "Stopped by a problem · 900 MB of 11.9 GB"),
        (5, "Checking the checksum · 5.04 GB of 5.04 GB"),
        (6, "Complete and verified · 98.0 MB"),
    ],
)
def test_every_state_is_described(download_id: int, words: str) -> None:
    assert describe(samples.downloads()[download_id - 1]) == words


def test_a_silent_server_is_said() -> None:
    silent = DownloadSnapshot(1, "r", "n", "running", 0, None)
    assert describe(silent) == "0 B · waiting for the server"


def test_buttons_fit_the_state(downloads: DownloadsDialog) -> None:
    def shown(download_id: int) -> list[bool]:
        card = row(downloads, download_id)
        buttons = (card.pause_button, card.resume_button, card.retry_button, card.cancel_button)
        return [not button.isHidden() for button in buttons]

    assert shown(1) == [True, False, False, True]
    assert shown(2) == [False, True, False, True]
    assert shown(4) == [False, False, True, True]
    assert shown(6) == [False, False, False, False]


def test_an_error_is_a_sentence_in_its_row(downloads: DownloadsDialog) -> None:
    assert "11.0 GB are needed" in row(downloads, 4).error_label.text()
    assert row(downloads, 1).error_label.isHidden()


def test_pause_resume_retry_by_mouse(qtbot: QtBot, downloads: DownloadsDialog) -> None:
    with qtbot.waitSignal(downloads.pause_requested) as paused:
        qtbot.mouseClick(row(downloads, 1).pause_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(downloads.resume_requested) as resumed:
        qtbot.mouseClick(row(downloads, 2).resume_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(downloads.resume_requested) as retried:
        qtbot.mouseClick(row(downloads, 4).retry_button, Qt.MouseButton.LeftButton)
    assert (paused.args, resumed.args, retried.args) == ([1], [2], [4])


def test_cancel_asks_only_when_bytes_would_be_lost(
    qtbot: QtBot, downloads: DownloadsDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "ask", no)
    with qtbot.assertNotEmitted(downloads.cancel_requested):
        row(downloads, 1).cancel_button.click()
    with qtbot.waitSignal(downloads.cancel_requested) as cancelled:
        row(downloads, 3).cancel_button.click()
    monkeypatch.setattr(Question, "ask", yes)
    with qtbot.waitSignal(downloads.cancel_requested) as agreed:
        row(downloads, 1).cancel_button.click()
    assert (cancelled.args, agreed.args) == ([3], [1])


def test_rows_stay_while_they_run_and_go_when_they_are_gone(downloads: DownloadsDialog) -> None:
    before = row(downloads, 1)
    later = replace(samples.downloads()[0], received_bytes=9_000_000_000)
    downloads.set_downloads([later])
    assert row(downloads, 1) is before
    assert before.bar.value() == 507
    assert downloads.cards.all_keys() == [1]
    downloads.set_downloads([])
    assert downloads.cards.empty_label.isVisible()


# --- models ---


@pytest.fixture
def models(qtbot: QtBot) -> ModelsDialog:
    dialog = ModelsDialog()
    qtbot.addWidget(dialog)
    dialog.set_models(samples.MODELS)
    dialog.show()
    return dialog


def model_row(dialog: ModelsDialog, name: str) -> ModelRow:
    found = dialog.cards.card(name)
    assert isinstance(found, ModelRow)
    return found


def test_import_says_which_file(qtbot: QtBot, models: ModelsDialog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelFile, "ask", lambda _parent: "/somewhere/a.gguf")
    with qtbot.waitSignal(models.import_requested) as asked:
        qtbot.mouseClick(models.import_button, Qt.MouseButton.LeftButton)
    assert asked.args == ["/somewhere/a.gguf"]
    monkeypatch.setattr(ModelFile, "ask", lambda _parent: "")
    with qtbot.assertNotEmitted(models.import_requested):
        models.import_button.click()


def test_verify_and_its_progress(qtbot: QtBot, models: ModelsDialog) -> None:
    card = model_row(models, "starter")
    with qtbot.waitSignal(models.verify_requested) as asked:
        qtbot.mouseClick(card.verify_button, Qt.MouseButton.LeftButton)
    assert asked.args == ["starter"]
    models.set_progress("starter", 400)
    assert card.bar.isVisible()
    assert not card.verify_button.isEnabled()
    models.set_progress("starter", None)
    assert not card.bar.isVisible()
    models.set_progress("unknown", 3)


@pytest.mark.parametrize(
    ("number", "consequence"),
    [(2, "which frees 17.7 GB"), (4, "stays where it is"), (3, "stays where it is")],
)
def test_remove_says_what_is_deleted(
    qtbot: QtBot, models: ModelsDialog, monkeypatch: pytest.MonkeyPatch, number: int, consequence: str
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Question, "ask", lambda *args: asked.append(args) or True)
    name = samples.MODELS[number].name
    with qtbot.waitSignal(models.remove_requested) as removed:
        model_row(models, name).remove_button.click()
    assert removed.args == [name]
    assert consequence in asked[0][2]


def test_the_starter_cannot_be_removed_and_a_missing_file_not_verified(models: ModelsDialog) -> None:
    assert model_row(models, "starter").remove_button.isHidden()
    assert not model_row(models, samples.MODELS[3].name).verify_button.isEnabled()


def test_another_order_is_followed(models: ModelsDialog) -> None:
    kept = model_row(models, "starter")
    models.set_models(samples.MODELS[:3])
    assert model_row(models, "starter") is kept
    models.set_models(samples.MODELS[::-1])
    assert models.cards.all_keys() == [entry.name for entry in samples.MODELS[::-1]]
    models.set_models([])
    assert models.cards.empty_label.isVisible()


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
    assert settings.offline_box.isChecked()
    assert settings.form.values() == {"temperature": 0.3}


def test_each_change_is_said(qtbot: QtBot, settings: SettingsDialog, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, object] = {}
    settings.setting_changed.connect(said.__setitem__)
    qtbot.keyClick(settings.theme_box, Qt.Key.Key_Up)
    qtbot.mouseClick(
        settings.offline_box, Qt.MouseButton.LeftButton, pos=settings.offline_box.rect().center()
    )
    settings.offline_box.setChecked(True)
    settings.context_field.setValue(8192)
    settings.endpoint_field.selectAll()
    qtbot.keyClicks(settings.endpoint_field, "https://mirror.example/")
    settings.endpoint_field.editingFinished.emit()
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


def test_errors_are_never_shown_raw() -> None:
    failed = replace(samples.downloads()[3], error=errors.HashMismatch(Path("/a/b.gguf"), "0" * 64, "1" * 64))
    assert "0000" not in describe(failed)
