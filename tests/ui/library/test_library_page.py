"""The library's page: rows, the entry in full, and each thing that can be done with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from model_manager import errors
from model_manager.quantizations import Quality, quality_of
from model_manager.types import DuplicateGroup, ModelEntry
from tests.helpers import page_samples as samples
from tests.helpers.window_samples import MODELS
from ui.library.library_page import Folder, LibraryPage, ModelFile
from ui.library.quantize_dialog import CHOICES, QuantizeDialog
from ui.library.values import ModelFigures, QuantizeWish
from ui.question import Question

QWEN = MODELS[2].name


@pytest.fixture
def page(qtbot: QtBot) -> LibraryPage:
    made = LibraryPage()
    qtbot.addWidget(made)
    made.resize(1000, 700)
    made.set_shelf(samples.SHELF)
    made.show()
    return made


def badges(page: LibraryPage, name: str) -> list[str]:
    face = page.view.faces.face(page.view.faces.index_of(name))
    assert face is not None
    return [badge.text for badge in face.badges]


# --- rows ---


def test_rows_say_what_one_should_know(page: LibraryPage) -> None:
    assert badges(page, "starter") == ["demonstration"]
    assert badges(page, QWEN) == ["verified", "#daily"]
    assert badges(page, "gpt-oss-20b-mxfp4") == ["missing"]
    assert badges(page, "SmolLM2-135M-Instruct.Q4_1") == []
    face = page.view.faces.face(page.view.faces.index_of(QWEN))
    assert face is not None
    assert face.trailing == "17.7 GB"
    assert face.lines[0] == "qwen3moe · 128 experts, 8 active · Q4_K_XL"
    assert face.lines[1].startswith("last used ")
    assert face.lines[1].endswith("17.9 tokens/s")
    assert "5 models" in page.sum_label.text()
    assert "412 GB free" in page.sum_label.text()
    page.grab()


@pytest.mark.parametrize(
    ("changes", "badge", "words"),
    [
        (
            {"state": "missing_shard", "is_missing": True, "missing_paths": MODELS[2].paths[1:2]},
            "missing parts",
            "Of its 3 files, some are not there: Qwen3-30B-A3B-00002-of-00003.gguf",
        ),
        (
            {"state": "broken_link", "is_missing": True, "missing_paths": MODELS[2].paths[:1]},
            "broken link",
            "It is a link that leads nowhere",
        ),
        ({"state": "damaged"}, "damaged", "Its bytes are not what they should be"),
        ({"state": "changed"}, "changed since it was verified", "qwen3moe"),
        ({"moving_to": Path("/mnt")}, "verified", "qwen3moe"),
    ],
)
def test_what_is_wrong_is_said(page: LibraryPage, changes: dict[str, Any], badge: str, words: str) -> None:
    page.set_shelf(replace(samples.SHELF, entries=(replace(MODELS[2], **changes),)))
    assert badges(page, QWEN)[0] == badge
    assert page.view.faces.all()[0].lines[0].startswith(words)
    assert ("move not finished" in badges(page, QWEN)) == ("moving_to" in changes)


def test_a_remote_entry_says_where_it_is(page: LibraryPage) -> None:
    remote = ModelEntry("big", (), 0, "", 0, 0, 0, "", address="https://gpu.example/v1")
    page.set_shelf(replace(samples.SHELF, entries=(remote,)))
    assert badges(page, "big") == ["on another machine"]
    page.open_entry("big")
    assert page.panel.verify_button.isHidden()
    assert page.panel.figures.isHidden()


def test_the_filter_finds_by_name_and_facts(qtbot: QtBot, page: LibraryPage) -> None:
    qtbot.keyClicks(page.filter_field, "qwen3moe q4")
    assert [face.key for face in page.view.faces.all()] == [QWEN]
    page.filter_field.setText("#DAILY")
    assert [face.key for face in page.view.faces.all()] == [QWEN]
    page.filter_field.setText("nothing like it")
    assert "nothing like it" in page.empty_label.text()
    qtbot.keyClick(page.filter_field, Qt.Key.Key_Escape)
    assert page.view.faces.rowCount() == len(MODELS)


def test_an_empty_library_says_how_to_begin(qtbot: QtBot, page: LibraryPage) -> None:
    page.set_shelf(replace(samples.SHELF, entries=()))
    assert "Import a GGUF file" in page.empty_label.text()
    with qtbot.waitSignal(page.discover_requested):
        page.discover_button.click()


def test_import_is_a_menu_of_files_folders_and_programs(
    qtbot: QtBot, page: LibraryPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page._fill_import_menu()
    file, folder, _line, ollama = page.import_menu.actions()
    assert ollama.text() == "All models of Ollama"
    with qtbot.waitSignal(page.import_from_requested) as asked:
        ollama.trigger()
    assert asked.args == ["ollama"]
    monkeypatch.setattr(ModelFile, "ask", lambda _parent: "/somewhere/a.gguf")
    monkeypatch.setattr(Folder, "ask", lambda _parent, _title: "/somewhere")
    with qtbot.waitSignal(page.import_requested) as asked:
        file.trigger()
    assert asked.args == ["/somewhere/a.gguf"]
    with qtbot.waitSignal(page.import_from_requested) as asked:
        folder.trigger()
    assert asked.args == ["/somewhere"]
    monkeypatch.setattr(ModelFile, "ask", lambda _parent: "")
    monkeypatch.setattr(Folder, "ask", lambda _parent, _title: "")
    with qtbot.assertNotEmitted(page.import_requested), qtbot.assertNotEmitted(page.import_from_requested):
        file.trigger()
        folder.trigger()


def test_what_is_here_twice_stands_together(qtbot: QtBot, page: LibraryPage) -> None:
    with qtbot.waitSignal(page.duplicates_requested):
        page.duplicates_button.click()
    names = ("starter", QWEN)
    page.set_duplicates((DuplicateGroup(("0" * 64,), 17_720_000_000, names, 17_720_000_000),))
    faces = page.view.faces.all()
    assert faces[0].title == "The same 17.7 GB, 17.7 GB too much:"
    assert [face.key for face in faces[1:]] == list(names)
    page.all_button.click()
    assert page.view.faces.rowCount() == len(MODELS)
    page.set_duplicates(())
    assert page.empty_label.text() == "No model is here twice."


# --- an entry in full ---


def test_enter_opens_an_entry_and_escape_closes_it(qtbot: QtBot, page: LibraryPage) -> None:
    page.take_focus()
    with qtbot.waitSignal(page.figures_requested) as asked:
        qtbot.keyClick(page.view, Qt.Key.Key_Return)
    assert asked.args == ["starter"]
    assert page.panel.isVisible()
    with qtbot.waitSignal(page.figures_requested) as asked:
        qtbot.keyClick(page.view, Qt.Key.Key_Down)
    assert asked.args == ["starter-thinking"]
    qtbot.keyClick(page.panel.chat_button, Qt.Key.Key_Escape)
    assert not page.panel.isVisible()
    assert page.focusWidget() is page.view


def test_a_narrow_page_shows_the_entry_in_place_of_the_list(page: LibraryPage) -> None:
    page.resize(480, 600)
    page.open_entry(QWEN)
    assert not page.list_side.isVisible()
    page.panel.close_button.click()
    assert page.list_side.isVisible()
    assert not page.panel.isVisible()


def test_forecast_probe_and_measurement_stay_side_by_side(page: LibraryPage) -> None:
    page.open_entry(QWEN)
    figures = page.panel.figures
    assert "Reading the header" in figures.fit_panel.verdict_label.text()
    assert figures.table.rows() == ()
    page.show_figures("starter", samples.FIGURES)  # late, about another one
    assert figures.table.rows() == ()
    page.show_figures(QWEN, replace(samples.FIGURES, probed_bytes=None, loaded_bytes=None))
    assert [name for name, _ in figures.table.rows()] == ["By the header", "Measured speed"]
    page.show_figures(QWEN, samples.FIGURES)
    assert "It fits" in figures.fit_panel.verdict_label.text()
    assert figures.table.rows() == (
        ("By the header", "19.9 GB with 8,192 tokens of context"),
        ("By llama.cpp", "19.7 GB with 8,192 tokens of context"),
        ("Measured, 2026-11-20", "19.7 GB with 8,192 tokens of context"),
        ("Measured speed", "17.9 tokens/s when answering, 139 when reading"),
    )
    page.show_figures(QWEN, replace(samples.FIGURES, loaded_at=""))
    assert figures.table.rows()[2][0] == "Loaded now"
    page.grab()


def test_what_the_file_says_and_where_its_template_differs(qtbot: QtBot, page: LibraryPage) -> None:
    page.open_entry(QWEN)
    page.show_figures(QWEN, samples.FIGURES)
    file = page.panel.file
    assert file.table.rows()[0] == ("Licence", "apache-2.0")
    assert ("Experts", "15.9 GB, Q4_K × 132, Q6_K × 12") in file.table.rows()
    assert "differs in 2 places" in file.template_label.text()
    assert not file.changes_view.isVisible()
    file.changes_button.click()
    assert file.changes_view.toPlainText().splitlines()[:2] == [
        "- (2 lines of qwen3)",
        "+ 3    {%- if tools %}",
    ]
    same = replace(samples.FILE, template_verdict="same", template_known_as="qwen3", template_changes=())
    page.show_figures(QWEN, replace(samples.FIGURES, file=same))
    assert not file.template_label.isVisible()
    assert not file.changes_button.isVisible()
    assert ("Template", "as known to be good (qwen3)") in file.table.rows()


def test_a_file_that_cannot_be_judged_says_why(page: LibraryPage) -> None:
    page.open_entry(QWEN)
    page.show_figures(QWEN, ModelFigures(failure=errors.NotGguf(MODELS[2].paths[0])))
    assert "not a GGUF model" in page.panel.figures.problem_label.text()
    assert page.panel.figures.fit_panel.isHidden()
    page.show_figures(QWEN, replace(samples.FIGURES, probe_error=errors.NotGguf(MODELS[2].paths[0])))
    assert page.panel.figures.problem_label.isVisible()
    assert page.panel.figures.fit_panel.isVisible()


def test_tags_and_a_note_are_kept_when_their_field_is_left(qtbot: QtBot, page: LibraryPage) -> None:
    page.open_entry(QWEN)
    notes = page.panel.notes
    assert notes.tags_field.text() == "daily"
    notes.tags_field.setText("work,  two  words ，#daily, ")
    with qtbot.waitSignal(page.annotate_requested) as kept:
        qtbot.keyClick(notes.tags_field, Qt.Key.Key_Return)
    assert kept.args == [QWEN, ("daily", "two words", "work"), ""]
    with qtbot.assertNotEmitted(page.annotate_requested):
        notes.keep()
    notes.note_field.setPlainText("Good at code.\n")
    with qtbot.waitSignal(page.annotate_requested) as kept:
        page.open_entry("starter")  # another model's words do not take its place
    assert kept.args == [QWEN, ("daily", "two words", "work"), "Good at code."]
    assert notes.note_field.toPlainText() == ""


def test_what_is_being_written_stays_when_the_list_is_read_anew(page: LibraryPage) -> None:
    page.activateWindow()
    page.open_entry(QWEN)
    field = page.panel.notes.note_field
    field.setFocus()
    field.setPlainText("half a thought")
    tagged = replace(MODELS[2], tags=("daily", "other"))
    page.set_shelf(replace(samples.SHELF, entries=(tagged,)))
    assert field.toPlainText() == "half a thought"
    assert page.panel.notes.tags_field.text() == "daily, other"


def test_chat_and_verify(qtbot: QtBot, page: LibraryPage) -> None:
    page.open_entry(QWEN)
    with qtbot.waitSignal(page.chat_requested) as chat:
        page.panel.chat_button.click()
    with qtbot.waitSignal(page.verify_requested) as verify:
        page.panel.verify_button.click()
    assert (chat.args, verify.args) == ([QWEN], [QWEN])
    page.set_progress(QWEN, 400)
    face = page.view.faces.face(page.view.faces.index_of(QWEN))
    assert face is not None
    assert face.permille == 400
    assert not page.panel.verify_button.isEnabled()
    assert not page.panel.remove_button.isEnabled()
    page.grab()
    page.set_progress(QWEN, None)
    assert page.panel.verify_button.isEnabled()
    page.set_progress("unknown", 3)


@pytest.mark.parametrize(
    ("number", "consequence", "pressed", "deletes_foreign"),
    [
        (2, "which frees 17.7 GB", 0, False),
        (4, "takes the model from that program", 0, False),
        (4, "takes the model from that program", 1, True),
        (3, "Only the entry", 0, False),
    ],
)
def test_remove_says_what_is_deleted(
    qtbot: QtBot,
    page: LibraryPage,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    consequence: str,
    pressed: int,
    deletes_foreign: bool,
) -> None:
    asked: list[Any] = []

    def answer(*args: Any) -> int:
        asked.append(args)
        return pressed

    monkeypatch.setattr(Question, "ask_which", answer)
    name = MODELS[number].name
    page.open_entry(name)
    with qtbot.waitSignal(page.remove_requested) as removed:
        page.panel.remove_button.click()
    assert removed.args == [name, deletes_foreign]
    assert consequence in asked[0][2]
    assert len(asked[0][3]) == (2 if number == 4 else 1)


def test_delete_asks_and_a_no_changes_nothing(
    qtbot: QtBot, page: LibraryPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "ask_which", lambda *_args: None)
    page.view.set_current_key(QWEN)
    with qtbot.assertNotEmitted(page.remove_requested):
        qtbot.keyClick(page.view, Qt.Key.Key_Delete)


def test_a_model_is_moved_and_a_cut_off_move_goes_on_or_back(
    qtbot: QtBot, page: LibraryPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "ask", lambda _parent, _title: "/mnt/models")
    page.open_entry(QWEN)
    with qtbot.waitSignal(page.move_requested) as moved:
        page.panel.move_button.click()
    assert moved.args == [QWEN, "/mnt/models"]
    page.set_progress(QWEN, 100)
    with qtbot.waitSignal(page.stop_requested) as stopped:
        page.panel.stop_button.click()
    assert stopped.args == [QWEN]
    page.set_progress(QWEN, None)
    halfway = replace(MODELS[2], moving_to=Path("/mnt/other"))
    page.set_shelf(replace(samples.SHELF, entries=(halfway,)))
    assert page.panel.move_button.isHidden()
    with qtbot.waitSignal(page.move_requested) as moved:
        page.panel.finish_button.click()
    assert moved.args == [QWEN, "/mnt/other"]
    with qtbot.waitSignal(page.undo_move_requested) as undone:
        page.panel.undo_button.click()
    assert undone.args == [QWEN]


def test_a_smaller_model_is_asked_for_with_types_of_its_parts(qtbot: QtBot, page: LibraryPage) -> None:
    page.open_entry(QWEN)
    page.panel.quantize_button.click()
    (dialog,) = page.findChildren(QuantizeDialog)
    dialog.experts_box.setCurrentIndex(dialog.experts_box.findData("Q3_K"))
    dialog.tensors_field.setText("blk.0. ffn=")
    dialog.make_button.click()
    assert "“blk.0.”" in dialog.problem_label.text()
    assert dialog.isVisible()
    dialog.tensors_field.setText("blk\\.0\\.=Q8_0  token_embd=Q6_K")
    dialog.name_field.setText("mine")
    with qtbot.waitSignal(page.quantize_requested) as asked:
        dialog.make_button.click()
    tensors = (("blk\\.0\\.", "Q8_0"), ("token_embd", "Q6_K"))
    assert asked.args == [QWEN, QuantizeWish("Q4_K_M", "Q3_K", None, tensors, "mine")]
    page.set_progress(QWEN, 100)
    assert not page.panel.quantize_button.isEnabled()
    assert not page.panel.stop_button.isHidden()


def test_a_dense_model_has_no_experts_to_choose_for(page: LibraryPage) -> None:
    dialog = QuantizeDialog(replace(MODELS[2], n_experts=0), page)
    assert dialog.experts_box.isHidden()
    assert not dialog.attention_box.isHidden()


def test_what_a_type_costs_is_what_the_hubs_page_says() -> None:
    for name, grade, increase in CHOICES:
        assert quality_of(name) == Quality(grade, increase)


def test_the_starter_cannot_be_removed_and_a_missing_file_not_verified(page: LibraryPage) -> None:
    page.open_entry("starter")
    assert page.panel.remove_button.isHidden()
    page.open_entry("gpt-oss-20b-mxfp4")
    assert not page.panel.verify_button.isEnabled()
    assert not page.panel.chat_button.isEnabled()


def test_an_entry_that_is_gone_closes(page: LibraryPage) -> None:
    page.open_entry(QWEN)
    page.set_shelf(replace(samples.SHELF, entries=MODELS[:2]))
    assert not page.panel.isVisible()


def test_rows_keep_their_place_while_others_change(page: LibraryPage) -> None:
    page.view.set_current_key(QWEN)
    page.set_shelf(replace(samples.SHELF, entries=MODELS[1:]))
    assert page.view.current_key() == QWEN
    page.set_shelf(replace(samples.SHELF, entries=MODELS[::-1]))
    assert page.view.current_key() == QWEN
