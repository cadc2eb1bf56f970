from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from tests.helpers import window_samples as samples
from ui.exchange_dialogs import (
    ExamplesFile,
    ExchangeDialogs,
    ExportAllFile,
    ExportFile,
    ImportFile,
    ImportFolder,
)
from ui.training_dialog import TrainingChoice, TrainingDialog


@pytest.fixture
def dialogs(qtbot: QtBot) -> ExchangeDialogs:
    window = QWidget()
    qtbot.addWidget(window)
    return ExchangeDialogs(window)


@pytest.mark.parametrize(
    ("chosen", "kind", "path"),
    [
        ("/out/talk.md", "markdown", "/out/talk.md"),
        ("/out/talk.md", "pdf", "/out/talk.pdf"),
        ("/out/talk", "html", "/out/talk.html"),
        ("/out/page.htm", "html", "/out/page.htm"),
        ("/out/v1.2", "json", "/out/v1.2.json"),
    ],
)
def test_an_export_has_the_ending_of_its_format(
    monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, dialogs: ExchangeDialogs, chosen: str, kind: str, path: str
) -> None:
    monkeypatch.setattr(ExportFile, "ask", lambda _parent, _name: (chosen, kind))
    conversation = samples.conversations()[0]
    with qtbot.waitSignal(dialogs.export_requested) as blocker:
        dialogs.export(conversation)
    assert blocker.args == [conversation.id, kind, path]


def test_the_dialog_tells_the_formats_apart(
    monkeypatch: pytest.MonkeyPatch, dialogs: ExchangeDialogs
) -> None:
    asked: list[str] = []

    def choose(_parent: QWidget, _title: str, name: str, filters: str) -> tuple[str, str]:
        asked.extend((name, *filters.split(";;")))
        return "/out/x.html", "Web page (*.html)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    assert ExportFile.ask(QWidget(), "A title") == ("/out/x.html", "html")
    assert asked == [
        "A title.md",
        "Markdown (*.md)",
        "Web page (*.html)",
        "PDF (*.pdf)",
        "JSON, with everything (*.json)",
    ]


def test_a_title_becomes_the_name_of_a_file(
    monkeypatch: pytest.MonkeyPatch, dialogs: ExchangeDialogs
) -> None:
    names: list[str] = []
    monkeypatch.setattr(ExportFile, "ask", lambda _parent, name: (names.append(name), ("", ""))[1])
    conversation = samples.conversations()[0]
    for title in ("../a/b: c?", "...", "x" * 200, "专家\0 ‮"):
        dialogs.export(replace(conversation, title=title))
    assert names == ["a b c", "coterie", "x" * 80, "专家"]


def test_nothing_chosen_is_nothing_asked_for(
    monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, dialogs: ExchangeDialogs
) -> None:
    for kind in (ImportFile, ImportFolder, ExportAllFile):
        monkeypatch.setattr(kind, "ask", lambda _parent: "")
    with (
        qtbot.assertNotEmitted(dialogs.import_requested),
        qtbot.assertNotEmitted(dialogs.export_all_requested),
    ):
        dialogs.import_file()
        dialogs.import_folder()
        dialogs.export_all()


def test_what_was_chosen_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, dialogs: ExchangeDialogs
) -> None:
    monkeypatch.setattr(ImportFolder, "ask", lambda _parent: "/in/jan")
    with qtbot.waitSignal(dialogs.import_requested) as blocker:
        dialogs.import_folder()
    assert blocker.args == ["/in/jan"]
    monkeypatch.setattr(ExportAllFile, "ask", lambda _parent: "/out/all")
    with qtbot.waitSignal(dialogs.export_all_requested) as blocker:
        dialogs.export_all()
    assert blocker.args == ["/out/all.json"]


def test_examples_for_training_are_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, dialogs: ExchangeDialogs
) -> None:
    monkeypatch.setattr(ExamplesFile, "ask", lambda _parent: "/out/examples")
    dialogs.export_examples()
    (dialog,) = dialogs._window.findChildren(TrainingDialog)
    assert dialog.choice() == TrainingChoice("openai", 1, 0, 0.8, 1, None, False)
    assert dialog.entropy_field.text() == "any"
    dialog.shape_box.setCurrentIndex(1)
    dialog.entropy_field.setValue(1.5)
    dialog.rating_box.setChecked(False)
    with qtbot.waitSignal(dialogs.examples_requested) as blocker:
        dialog.export_button.click()
    assert blocker.args == [
        TrainingChoice("sharegpt", 1, 0, 0.8, None, 1.5, False),
        "/out/examples.jsonl",
    ]
