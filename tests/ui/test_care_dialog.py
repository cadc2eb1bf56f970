from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from tests.helpers.care_samples import SPACE, backups
from ui import i18n
from ui.care.backups_form import BackupChoice, CopyFile
from ui.care.care_dialog import CareDialog
from ui.care.values import BackupContent
from ui.question import Question

CONTENT = BackupContent("/b/one.sqlite", 1, 1200, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def dialog(qtbot: QtBot) -> CareDialog:
    dialog = CareDialog()
    qtbot.addWidget(dialog)
    dialog.set_values({"backup_every_days": 7, "backups_kept": 3, "trash_days": 30})
    dialog.backups.set_backups(backups())
    dialog.show()
    return dialog


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Every question, answered with yes."""
    questions: list[tuple[Any, ...]] = []

    def ask(_parent: object, *words: object) -> bool:
        questions.append(words)
        return True

    monkeypatch.setattr(Question, "ask", ask)
    return questions


def press(qtbot: QtBot, button: QPushButton) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_settings_are_shown_and_changed(qtbot: QtBot, dialog: CareDialog) -> None:
    changes: list[tuple[str, object]] = []
    dialog.setting_changed.connect(lambda key, value: changes.append((key, value)))
    dialog.set_values({"trash_days": 0, "backup_every_days": 1})
    assert (dialog.trash_field.text(), dialog.every_field.text()) == ("never", "1 day")
    assert changes == []
    dialog.every_field.setValue(0)
    assert not dialog.kept_field.isEnabled()
    dialog.trash_field.setValue(14)
    assert changes == [("backup_every_days", 0), ("trash_days", 14)]
    assert dialog.trash_field.text() == "14 days"


def test_backups_are_listed_with_when_and_why(dialog: CareDialog) -> None:
    said = [dialog.backups.list.item(row).text() for row in range(4)]
    for words, text in zip(
        ("by hand", "by itself", "replaced by another", "before an update"), said, strict=True
    ):
        assert words in text
    assert "48.2 MB" in said[0]
    dialog.backups.set_backups([])
    assert not dialog.backups.list.isVisible()
    assert not dialog.backups.restore_button.isVisible()
    assert dialog.backups.words.text() == "There is no backup yet."


def test_what_is_chosen_is_read_before_anybody_is_asked(
    qtbot: QtBot, dialog: CareDialog, asked: list[tuple[Any, ...]]
) -> None:
    form = dialog.backups
    assert not form.restore_button.isEnabled()
    form.list.setCurrentRow(1)
    with qtbot.waitSignal(form.examine_requested) as examined:
        press(qtbot, form.restore_button)
    assert examined.args == [backups()[1].path]
    assert asked == []
    with qtbot.waitSignal(form.restore_requested) as restored:
        form.confirm(CONTENT)
    assert restored.args == ["/b/one.sqlite"]
    ((question, consequence, action),) = asked
    assert (question, action) == ("Restore this backup?", "Restore it")
    assert consequence.startswith("It holds 1 conversation and 1,200 messages, the newest of ")
    assert "kept as another backup" in consequence


def test_files_elsewhere_are_saved_and_read(
    qtbot: QtBot, dialog: CareDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = dialog.backups
    monkeypatch.setattr(CopyFile, "ask", lambda _parent: "/stick/mine.sqlite")
    monkeypatch.setattr(BackupChoice, "ask", lambda _parent: "/stick/other.sqlite")
    with qtbot.waitSignal(form.create_requested) as created:
        press(qtbot, form.copy_button)
    assert created.args == ["/stick/mine.sqlite"]
    with qtbot.waitSignal(form.examine_requested) as examined:
        press(qtbot, form.other_button)
    assert examined.args == ["/stick/other.sqlite"]
    monkeypatch.setattr(CopyFile, "ask", lambda _parent: "")
    with qtbot.assertNotEmitted(form.create_requested):
        press(qtbot, form.copy_button)


def test_removal_asks_first(qtbot: QtBot, dialog: CareDialog, asked: list[tuple[Any, ...]]) -> None:
    dialog.backups.list.setCurrentRow(2)
    with qtbot.waitSignal(dialog.backups.remove_requested) as removed:
        press(qtbot, dialog.backups.remove_button)
    assert removed.args == [backups()[2].path]
    assert len(asked) == 1


def test_nothing_else_begins_while_a_backup_is_made(dialog: CareDialog) -> None:
    dialog.backups.list.setCurrentRow(0)
    dialog.backups.set_busy(True)
    assert not dialog.backups.create_button.isEnabled()
    dialog.backups.set_busy(False)
    assert dialog.backups.create_button.isEnabled()
    assert dialog.backups.restore_button.isEnabled()


def test_sizes_and_compaction(qtbot: QtBot, dialog: CareDialog) -> None:
    space = dialog.space
    assert space.rows() == [("Reading…", "")]
    assert not space.compact_button.isEnabled()
    space.set_space(SPACE)
    shown = {name.strip(): size for name, size in space.rows()}
    assert (shown["database"], shown["reasoning"], shown["backups"]) == ("48.3 MB", "9.40 MB", "139 MB")
    with qtbot.waitSignal(space.compact_requested):
        press(qtbot, space.compact_button)
    space.set_progress(400)
    assert not space.compact_button.isEnabled()
    assert space.bar.value() == 400
    with qtbot.waitSignal(space.stop_requested):
        press(qtbot, space.stop_button)
    space.set_progress(None)
    assert not space.bar.isVisible()


def test_words_follow_the_language(dialog: CareDialog) -> None:
    i18n.set_language("zh_CN")
    for widget in (dialog, dialog.backups, dialog.space):
        widget._retranslate()
    assert dialog.windowTitle() == "备份与空间"
    assert dialog.every_field.text() == "7 天"
    assert "自动" in dialog.backups.list.item(1).text()
