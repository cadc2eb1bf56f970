"""The transcript as a reader uses it: wheels, keys and clicks on a real widget."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QAccessible, QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.ui.chat.conftest import at_control, at_words, click, make_message
from ui import theme
from ui.chat import accessible, highlight
from ui.chat.message_item import ANSWER
from ui.chat.transcript import Transcript
from ui.values import StreamUpdate

WORDS = "The quick brown fox jumps over the lazy dog. " * 12


def long_chat(n: int) -> list:
    return [make_message(i + 1, "assistant" if i % 2 else "user", f"Message {i}. {WORDS}") for i in range(n)]


def at_end(view: Transcript) -> bool:
    return view.verticalScrollBar().value() == view.verticalScrollBar().maximum()


def top_of(view: Transcript, number: int) -> float:
    return view.scene.top_of(number) - view.offset


def drag(qtbot: QtBot, view: Transcript, start: QPoint, end: QPoint) -> None:
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(view.viewport(), pos=(start + end) / 2)
    qtbot.mouseMove(view.viewport(), pos=end)
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=end)


# What is laid out


def test_only_what_is_in_sight_is_laid_out(view: Transcript) -> None:
    view.set_messages(long_chat(10_000))
    bar = view.verticalScrollBar()
    for share in (1.0, 0.5, 0.1, 0.0, 0.7):
        bar.setValue(round(bar.maximum() * share))
        laid_out = [item for item in view.scene.items if any(column.pieces() for column in item.columns)]
        assert 1 <= len(laid_out) <= 20


def test_a_huge_message_is_laid_out_in_parts(view: Transcript) -> None:
    view.set_messages([make_message(1, text="\n\n".join(f"Paragraph {n}. {WORDS}" for n in range(2_000)))])
    column = view.scene.items[0].columns[ANSWER]
    assert len(column.views) == 2_000
    assert 1 <= len(column.pieces()) <= 40
    assert at_end(view)


def test_a_conversation_opens_at_its_end(view: Transcript) -> None:
    view.set_messages(long_chat(50))
    assert at_end(view)
    assert top_of(view, 49) < 600


# Staying and following


def test_it_follows_the_end_while_text_arrives(view: Transcript) -> None:
    view.set_messages([*long_chat(6), make_message(7, status="streaming")])
    for n in range(1, 30):
        view.apply_stream(StreamUpdate(7, "text", text=WORDS * n))
        assert at_end(view)


def test_it_stays_where_the_reader_scrolled_to(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([*long_chat(20), make_message(21, status="streaming")])
    qtbot.keyClick(view, Qt.Key.Key_PageUp)
    assert not view.is_following
    anchor = view.scene.anchor_at(view.offset)
    before = view.scene.height_of(anchor) - view.offset
    for n in range(1, 30):
        view.apply_stream(StreamUpdate(21, "text", text=WORDS * n))
    assert view.scene.height_of(anchor) - view.offset == pytest.approx(before, abs=1)
    assert not at_end(view)


def test_unknown_heights_above_do_not_move_what_is_read(view: Transcript, qtbot: QtBot) -> None:
    """Scrolling up lays out messages that were only estimated: each step moves by its pixels and no more."""
    view.set_messages(long_chat(300))
    for _ in range(60):
        number = view.scene.number_at(view.offset + 100)
        before = top_of(view, number)
        view.scroll_by(-90)
        assert top_of(view, number) == pytest.approx(before + 90, abs=2)


def test_a_narrower_window_keeps_the_place(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages(long_chat(60))
    view.scroll_to(30)
    before = top_of(view, 29)
    view.resize(500, 600)
    assert top_of(view, 29) == pytest.approx(before, abs=2)


def test_the_button_leads_back_to_the_end(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages(long_chat(20))
    assert not view._end_button.isVisible()
    view.scroll_by(-500)
    assert view._end_button.isVisible()
    qtbot.mouseClick(view._end_button, Qt.MouseButton.LeftButton)
    assert at_end(view)
    assert not view._end_button.isVisible()


def test_a_question_of_the_reader_brings_the_end(view: Transcript) -> None:
    view.set_messages(long_chat(20))
    view.scroll_by(-900)
    view.add_message(make_message(21, "user", "New question"))
    assert at_end(view)


@pytest.mark.parametrize(
    ("key", "sign"),
    [(Qt.Key.Key_PageUp, -1), (Qt.Key.Key_Up, -1), (Qt.Key.Key_PageDown, 1), (Qt.Key.Key_Down, 1)],
)
def test_keys_scroll(view: Transcript, qtbot: QtBot, key: Qt.Key, sign: int) -> None:
    view.set_messages(long_chat(60))
    view.scroll_to(30)
    before = top_of(view, 29)
    qtbot.keyClick(view, key)
    assert (top_of(view, 29) - before) * sign < -20


def test_home_and_end(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages(long_chat(60))
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert view.verticalScrollBar().value() == 0
    qtbot.keyClick(view, Qt.Key.Key_End)
    assert at_end(view)


def test_a_found_message_comes_to_the_top(view: Transcript) -> None:
    view.set_messages(long_chat(400))
    view.scroll_to(200)
    assert 0 <= top_of(view, 199) < 40


# What stands above


def answer_from(view: Transcript, everything: list) -> list[tuple[int, bool]]:
    """Give what is asked for, a hundred at a time; what was asked is in the list."""
    asked: list[tuple[int, bool]] = []

    def give(last_id: int, is_everything: bool) -> None:
        asked.append((last_id, is_everything))
        first = 0 if is_everything else max(0, last_id - 100)
        QTimer.singleShot(0, view, lambda: view.add_earlier(last_id, everything[first:last_id]))

    view.earlier_requested.connect(give)
    return asked


def test_older_messages_come_as_one_scrolls_up(view: Transcript, qtbot: QtBot) -> None:
    everything = long_chat(350)
    asked = answer_from(view, everything)
    view.set_messages(everything[-100:])
    assert at_end(view)
    assert asked == []
    for n in (1, 2, 3):
        number = view.scene.number_of(everything[-100 * n].id)
        assert number == 0
        view.scroll_to(everything[-100 * n + 1].id)
        qtbot.waitUntil(lambda n=n: len(view.scene.items) == min(350, 100 * (n + 1)))
        number = view.scene.number_of(everything[-100 * n + 1].id)
        assert number is not None
        assert 0 <= top_of(view, number) < 40  # it has stayed where it was
    assert asked == [(250, False), (150, False), (50, False)]
    assert [item.message for item in view.scene.items] == everything


def test_a_selection_and_the_keyboard_stay_while_older_messages_come(view: Transcript, qtbot: QtBot) -> None:
    everything = long_chat(200)
    view.set_messages(everything[100:])
    view.scroll_to(150)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at_words(view, 49))
    chosen = view.selected_text()
    qtbot.keyClick(view, Qt.Key.Key_Tab)
    focused = view.focused
    view.add_earlier(100, everything[:100])
    assert chosen == "Message"
    assert view.selected_text() == chosen
    assert view.focused == focused is not None
    assert (
        accessible.names(view)[149].startswith(everything[149].text[:12])
        or "Message 149" in (accessible.names(view)[149])
    )


def test_home_and_select_all_wait_for_the_beginning(view: Transcript, qtbot: QtBot) -> None:
    everything = long_chat(350)
    asked = answer_from(view, everything)
    view.set_messages(everything[-100:])
    view.select_all()
    view.copy()
    qtbot.waitUntil(lambda: len(view.scene.items) == 350)
    assert asked == [(250, True)]
    assert QGuiApplication.clipboard().text().startswith("Message 0.")
    assert "Message 349." in QGuiApplication.clipboard().text()
    view.set_messages([])
    view.set_messages(everything[-100:])
    qtbot.keyClick(view, Qt.Key.Key_Home)
    qtbot.waitUntil(lambda: len(view.scene.items) == 350 and view.verticalScrollBar().value() == 0)


def test_what_could_not_be_read_is_not_asked_for_again_and_again(view: Transcript, qtbot: QtBot) -> None:
    everything = long_chat(200)
    asked: list[int] = []
    view.earlier_requested.connect(lambda last_id, _is_everything: asked.append(last_id))
    view.set_messages(everything[100:])
    view.scroll_to(101)
    view.select_all()
    assert asked == [100, 100]
    view.add_earlier(100, [])
    view.settle()
    assert asked == [100, 100]
    view.copy()  # what there is
    assert QGuiApplication.clipboard().text().startswith("Message 100.")


def test_another_path_stays_at_what_is_read(view: Transcript) -> None:
    everything = long_chat(200)
    view.set_messages(everything[100:])
    view.scroll_to(150)
    view.set_messages(everything[60:180])
    number = view.scene.number_of(150)
    assert number is not None
    assert 0 <= top_of(view, number) < 40


# Streaming


def test_closed_blocks_are_parsed_once(view: Transcript) -> None:
    view.set_messages([make_message(1, status="streaming")])
    text = "".join(f"Paragraph {n} with *words*.\n\n" for n in range(200))
    updates = range(5, len(text), 7)
    for end in updates:
        view.apply_stream(StreamUpdate(1, "text", text=text[:end]))
    column = view.scene.items[0].columns[ANSWER]
    # Each update parses the open block, and a line that may still change makes it two; never what is closed.
    assert column.n_parsed <= 2 * len(updates) + len(column.views)
    closed = column.views[:150]
    before = column.n_parsed
    view.apply_stream(StreamUpdate(1, "text", text=text + "The end"))
    assert column.n_parsed - before <= 3
    assert column.views[:150] == closed


def test_an_open_fence_grows_without_losing_its_rows(view: Transcript) -> None:
    view.set_messages([make_message(1, status="streaming")])
    text = "```python\n" + "".join(f"x{n} = {n}  # 数\n" for n in range(300))
    for end in range(12, len(text), 41):
        view.apply_stream(StreamUpdate(1, "text", text=text[:end]))
    view.apply_stream(StreamUpdate(1, "text", text=text + "```\n"))
    view.replace_message(make_message(1, text=text + "```\n"))
    ((_, _, piece, _),) = view.scene.items[0].columns[ANSWER].pieces()
    assert piece.text(0, piece.length) == text.partition("\n")[2].removesuffix("\n")
    whole = make_message(1, text=text + "```\n")
    height = view.scene.height
    view.set_messages([])
    view.set_messages([whole])
    assert view.scene.height == height


def test_thinking_closes_when_the_answer_begins(view: Transcript) -> None:
    view.set_messages([make_message(1, status="streaming")])
    item = view.scene.items[0]
    view.apply_stream(StreamUpdate(1, "prefill", prefill_permille=430))
    assert not [button for button in item.controls() if button.id == "reasoning"]
    view.apply_stream(StreamUpdate(1, "reasoning", reasoning="Hm.", reasoning_tokens=3, reasoning_s=2.0))
    assert item.is_expanded
    assert "2 s · 3 tokens" in next(button.label for button in item.controls() if button.id == "reasoning")
    view.apply_stream(
        StreamUpdate(1, "text", reasoning="Hm.", text="So", reasoning_tokens=3, reasoning_s=2.0)
    )
    assert not item.is_expanded


def test_running_thoughts_can_be_ended(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, status="streaming")])
    view.apply_stream(StreamUpdate(1, "reasoning", reasoning="Hm.", reasoning_tokens=3, reasoning_s=2.0))
    with qtbot.waitSignal(view.conclude_requested) as told:
        click(qtbot, view, at_control(view, 0, "conclude"))
    assert told.args == [1]
    view.apply_stream(StreamUpdate(1, "text", reasoning="Hm.", text="So"))
    assert "conclude" not in [button.id for button in view.scene.items[0].controls()]


@pytest.mark.parametrize(("reason", "offers"), [("length", True), ("context_full", True), ("stop", False)])
def test_a_cut_answer_offers_to_go_on(view: Transcript, qtbot: QtBot, reason: str, offers: bool) -> None:
    view.set_messages([make_message(1, text="Half an ans", stop_reason=reason)])
    assert ("continue" in [button.id for button in view.scene.items[0].controls()]) is offers
    if offers:
        with qtbot.waitSignal(view.continue_requested) as told:
            click(qtbot, view, at_control(view, 0, "continue"))
        assert told.args == [1]


def test_the_heading_of_the_thoughts_opens_them(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, text="Answer", reasoning="Secret thoughts")])
    click(qtbot, view, at_control(view, 0, "reasoning"))
    assert view.scene.items[0].is_expanded
    view.select_all()
    assert view.selected_text() == "Secret thoughts\n\nAnswer"


def test_late_updates_of_an_ended_answer_change_nothing(view: Transcript) -> None:
    view.set_messages([make_message(1, status="streaming")])
    view.replace_message(make_message(1, text="Done"))
    view.apply_stream(StreamUpdate(1, "text", text="Do"))
    view.apply_stream(StreamUpdate(99, "text", text="Do"))
    assert view.scene.items[0].message.text == "Done"
    view.select_all()
    assert view.selected_text() == "Done"


# Selecting


def test_dragging_selects_across_messages(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages(
        [make_message(1, "user", "First words"), make_message(2, text="Second **bold** words\n\nLast one")]
    )
    drag(qtbot, view, at_words(view, 0, 0, 6), at_words(view, 1, 1, 4))
    assert view.selected_text() == "words\n\nSecond **bold** words\n\nLast"


def test_a_part_of_a_paragraph_is_plain_text(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, text="Second **bold** words")])
    drag(qtbot, view, at_words(view, 0, 0, 0), at_words(view, 0, 0, 11))
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Second bold"


def test_a_double_click_selects_a_word_and_a_triple_click_a_block(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, text="One two three\n\nOther")])
    where = at_words(view, 0, 0, 5)
    click(qtbot, view, where)
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert view.selected_text() == "two"
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert view.selected_text() == "One two three"


def test_everything_is_copied_as_markdown(view: Transcript, qtbot: QtBot) -> None:
    text = "# Title\n\n- a\n- b\n\n```py\nx\n```\n\n$$x$$"
    view.set_messages([make_message(1, "user", "Ask"), make_message(2, text=text)])
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert view.selected_text() == f"Ask\n\n{text}"


def test_ten_thousand_messages_can_be_selected(view: Transcript) -> None:
    view.set_messages(long_chat(10_000))
    view.select_all()
    assert view.selected_text().count("Message ") == 10_000


# Buttons


def test_copy_regenerate_and_versions(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages(
        [make_message(1, "user", "Ask"), make_message(5, text="**Answer**", siblings=(3, 5, 8))]
    )
    click(qtbot, view, at_control(view, 1, "copy"))
    assert QGuiApplication.clipboard().text() == "**Answer**"
    with qtbot.waitSignal(view.regenerate_requested) as regenerate:
        click(qtbot, view, at_control(view, 1, "regenerate"))
    assert regenerate.args == [5]
    with qtbot.waitSignal(view.version_requested) as version:
        click(qtbot, view, at_control(view, 1, "previous"))
    assert version.args == [3]
    with qtbot.waitSignal(view.version_requested) as version:
        click(qtbot, view, at_control(view, 1, "next"))
    assert version.args == [8]


def test_an_answer_is_rated_and_the_rating_taken_back(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, "user", "Ask"), make_message(2, text="Answer")])
    asked: list[tuple[int, int | None]] = []
    view.rating_requested.connect(lambda message_id, rating: asked.append((message_id, rating)))
    click(qtbot, view, at_control(view, 1, "good"))
    view.replace_message(replace(view.scene.items[1].message, rating=1))
    assert {button.id for button in view.scene.items[1].controls() if button.is_pressed} == {"good"}
    click(qtbot, view, at_control(view, 1, "bad"))
    click(qtbot, view, at_control(view, 1, "good"))
    assert asked == [(2, 1), (2, -1), (2, None)]
    assert not any(button.id in ("good", "bad") for button in view.scene.items[0].controls())


def test_the_first_version_has_none_before(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(3, text="Answer", siblings=(3, 5))])
    with qtbot.assertNotEmitted(view.version_requested):
        click(qtbot, view, at_control(view, 0, "previous"))


def test_code_is_copied_and_says_so(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, text="```py\nx = 1\ny\n```")])
    click(qtbot, view, at_control(view, 0, f"code:{ANSWER}:0:0"))
    assert QGuiApplication.clipboard().text() == "x = 1\ny"
    assert view.copied == (1, f"code:{ANSWER}:0:0")
    qtbot.waitUntil(lambda: view.copied is None)


def test_a_question_is_edited_in_its_place(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, "user", "Aks"), make_message(2, text="Answer")])
    click(qtbot, view, at_control(view, 0, "edit"))
    editor = view._editor
    assert editor is not None
    assert not editor.save_button.isEnabled(), "nothing has changed yet"
    assert editor.geometry().bottom() <= top_of(view, 1)
    editor.field.setPlainText("Ask\nproperly")
    with qtbot.waitSignal(view.edit_requested) as edit:
        qtbot.keyClick(editor.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert edit.args == [1, "Ask\nproperly"]
    assert view._editor is None


def test_escape_leaves_a_question_as_it_was(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, "user", "Ask")])
    before = view.scene.height
    view.edit_message(1)
    assert view._editor is not None
    view._editor.field.setPlainText("Other")
    with qtbot.assertNotEmitted(view.edit_requested):
        qtbot.keyClick(view._editor.field, Qt.Key.Key_Escape)
    assert view._editor is None
    assert view.scene.height == before


def test_buttons_are_reached_by_the_keyboard(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, text="Answer", reasoning="Thoughts")])
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_Tab)
    assert view.focused == (1, "reasoning")
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert view.scene.items[0].is_expanded
    qtbot.keyClick(view, Qt.Key.Key_Tab)
    qtbot.keyClick(view, Qt.Key.Key_Tab)
    assert view.focused == (1, "regenerate")
    with qtbot.waitSignal(view.regenerate_requested):
        qtbot.keyClick(view, Qt.Key.Key_Space)


def test_a_click_opens_a_link_and_a_drag_does_not(
    view: Transcript, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    view.set_messages([make_message(1, text="[a long link](https://e.org/x) words")])
    drag(qtbot, view, at_words(view, 0, 0, 1), at_words(view, 0, 0, 9))
    assert not opened
    click(qtbot, view, at_words(view, 0, 0, 3))
    assert opened == ["https://e.org/x"]


# Looks and hostile text


def test_formulas_arrive_from_beside_the_qt_thread(view: Transcript, qtbot: QtBot) -> None:
    view.set_messages([make_message(1, text="So $x^2$ and\n\n$$\\frac{a}{b}$$\n\nand $\\frac{$ fails")])
    column = view.scene.items[0].columns[ANSWER]
    qtbot.waitUntil(lambda: not any(piece.waits_for for *_, piece, _ in column.pieces()), timeout=20_000)
    view.select_all()
    assert view.selected_text() == "So $x^2$ and\n\n$$\\frac{a}{b}$$\n\nand $\\frac{$ fails"
    first = column.views[0].pieces
    assert first is not None
    assert first[0].text(0, first[0].length) == "So $x^2$ and"
    assert first[0].length == len("So x and"), "the formula is one object"


def test_colours_follow_the_theme(view: Transcript) -> None:
    view.set_messages([make_message(1, text="Words")])
    light = view.grab().toImage().pixelColor(5, 300)
    theme.apply("dark")
    QApplication.processEvents()
    try:
        dark = view.grab().toImage().pixelColor(5, 300)
    finally:
        theme.apply("light")
    assert light == theme.LIGHT.surface
    assert dark == theme.DARK.surface


def test_zoom_makes_text_larger_and_keeps_the_end(view: Transcript) -> None:
    view.set_messages(long_chat(20))
    before = view.scene.height
    view.set_zoom(150)
    assert view.scene.height > before * 1.2
    assert at_end(view)


@pytest.mark.parametrize(
    "text",
    [
        "> " * 300 + "deep",
        "- " * 300 + "deep",
        "x" * 1_000_000,
        "word " * 200_000,
        "```\n" + "y" * 300_000,
        "$$\n" + "{" * 500,
        "\0\0 nul \0",
        "שלום עולם, this is **mixed** العربية",
        "👩‍👩‍👧‍👦🏳️‍🌈" * 200,
        "|" * 3_000 + "\n" + "|-" * 1_500,
        "| a | b |\n|---|---|\n| " + "w" * 3_000 + " | x |",
        "[x](" * 800,
        "\u2028\u2029\r\n\x1b[31m",
    ],
    ids=lambda text: repr(text[:12]),
)
@pytest.mark.parametrize("role", ["assistant", "user"])
def test_hostile_text_is_shown_and_selected(view: Transcript, text: str, role: str) -> None:
    view.set_messages([make_message(1, role, text)])  # type: ignore[arg-type]  # two literals
    view.grab()
    view.select_all()
    view.grab()
    view.verticalScrollBar().setValue(0)
    assert view.selected_text()
    laid_out = view.scene.items[0].columns[ANSWER].pieces()
    assert len(laid_out) <= 60


def test_a_screen_reader_hears_the_messages(view: Transcript) -> None:
    view.set_messages([make_message(1, "user", "Ask"), make_message(2, text="Answer", status="interrupted")])
    interface = QAccessible.queryAccessibleInterface(view)
    assert interface.role() == QAccessible.Role.List
    assert interface.childCount() == 2
    assert accessible.names(view) == ["You\nAsk", "model-a\nAnswer\nInterrupted; what had arrived is kept."]
    assert interface.child(1).role() == QAccessible.Role.ListItem
    assert interface.child(0).rect().height() > 20


def test_lexers_are_loaded_beside_the_qt_thread(
    view: Transcript, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing one takes up to 80 ms: no frame may wait for it."""
    threads: list[bool] = []
    load = highlight.load_lexer

    def watched(name: str) -> object:
        threads.append(threading.current_thread() is threading.main_thread())
        return load(name)

    monkeypatch.setattr(highlight, "load_lexer", watched)
    with qtbot.waitSignal(view.workshop.lexer_loaded, timeout=20_000):
        view.set_messages([make_message(1, text="```ocaml\nlet x = 1\n```")])
        view.grab()
    assert threads == [False]
    assert view.workshop.lexer("ocaml")[0] is not None
