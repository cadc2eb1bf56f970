"""The window as a whole: each intention by the hand that would show it, each value where it is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from model_manager.errors import EngineDied
from model_manager.types import EngineState
from storage.records import Message, Part
from tests.helpers import page_samples as pages, window_samples as samples
from ui import i18n, theme
from ui.conversation_menu import ConversationMenu
from ui.main_window import MainWindow
from ui.name_dialog import NameDialog
from ui.text import notice_for
from ui.values import ConversationSettings, Notice, Shelving

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    made = MainWindow()
    qtbot.addWidget(made)
    made.set_settings({"theme": "light", "language": "en"})
    made.sidebar.set_conversations(samples.conversations(), 1)
    made.set_models(samples.MODELS, "starter")
    made.show_conversation(samples.conversations()[0], samples.messages())
    made.show()
    made.activateWindow()
    yield made
    made.close()


def press(qtbot: QtBot, window: MainWindow, key: Qt.Key, more: Qt.KeyboardModifier = CONTROL) -> None:
    qtbot.keyClick(window, key, more)


# --- intentions ---


def test_writing_and_enter_send(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.keyClicks(window.page.composer.field, "Hello")
    with qtbot.waitSignal(window.send_requested) as sent:
        qtbot.keyClick(window.page.composer.field, Qt.Key.Key_Return)
    assert sent.args == ["Hello"]


def test_control_n_and_the_button_begin_a_conversation(qtbot: QtBot, window: MainWindow) -> None:
    with qtbot.waitSignal(window.new_conversation_requested):
        press(qtbot, window, Qt.Key.Key_N)
    with qtbot.waitSignal(window.new_conversation_requested):
        qtbot.mouseClick(window.sidebar.new_button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("key", [Qt.Key.Key_K, Qt.Key.Key_F])
def test_search_takes_the_focus_and_shows_the_side_bar(qtbot: QtBot, window: MainWindow, key: Qt.Key) -> None:
    window.toggle_sidebar()
    press(qtbot, window, key)
    assert window.sidebar.isVisible()
    assert window.focusWidget() is window.sidebar.search_field


def test_control_b_hides_and_shows_the_side_bar(qtbot: QtBot, window: MainWindow) -> None:
    press(qtbot, window, Qt.Key.Key_B)
    assert not window.sidebar.isVisible()
    qtbot.mouseClick(window.page.header.sidebar_button, Qt.MouseButton.LeftButton)
    assert window.sidebar.isVisible()


def test_a_model_is_chosen_with_the_keyboard(qtbot: QtBot, window: MainWindow) -> None:
    press(qtbot, window, Qt.Key.Key_M)
    view = window.page.header.picker._open().view
    assert view.isVisible()
    qtbot.keyClick(view, Qt.Key.Key_Down)
    with qtbot.waitSignal(window.model_selected) as chosen:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert chosen.args == ["starter-thinking"]
    assert not view.isVisible()


def test_the_shown_conversation_is_renamed_exported_and_thrown_away(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    with qtbot.waitSignal(window.sidebar.trash_requested) as thrown:
        window.commands.action("Move to the trash").trigger()
    assert thrown.args == [1]
    with qtbot.waitSignal(window.sidebar.export_requested) as exported:
        window.export_current()
    assert exported.args == [samples.conversations()[0]]
    # It may be too old to be in the list, or in the archive: then a dialog asks for the name.
    window.sidebar.set_conversations([], None)
    monkeypatch.setattr(NameDialog, "ask", lambda *_args, **_more: "Better")
    with qtbot.waitSignal(window.sidebar.rename_requested) as renamed:
        window.commands.action("Rename conversation").trigger()
    assert renamed.args == [1, "Better"]


def test_nothing_can_be_done_with_a_fresh_conversation(qtbot: QtBot, window: MainWindow) -> None:
    window.show_conversation(None, [])
    assert not window.page.header.menu_button.isEnabled()
    with qtbot.assertNotEmitted(window.sidebar.trash_requested):
        window.commands.action("Move to the trash").trigger()
    window.commands.action("More for this conversation").trigger()
    assert window.findChild(ConversationMenu) is None


def test_the_menu_of_the_shown_conversation_opens_by_key_and_button(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.mouseClick(window.page.header.menu_button, Qt.MouseButton.LeftButton)
    menu = window.findChild(ConversationMenu)
    assert isinstance(menu, ConversationMenu)
    with qtbot.waitSignal(window.sidebar.shelved) as shelved:
        qtbot.keyClick(menu, Qt.Key.Key_Down)
        qtbot.keyClick(menu, Qt.Key.Key_Down)
        qtbot.keyClick(menu, Qt.Key.Key_Return)
    assert shelved.args == [Shelving(1, "pin")]


def test_a_hit_leads_to_its_message(qtbot: QtBot, window: MainWindow) -> None:
    window.sidebar.search_field.setText("expert")
    window.sidebar.set_hits(samples.hits())
    view = window.sidebar.hits_view
    where = view.visualRect(view.model().index(2, 0)).center()
    with qtbot.waitSignal(window.hit_selected) as chosen:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert chosen.args == [samples.hits()[2]]


def test_the_filter_opens_by_key_even_without_the_side_bar(qtbot: QtBot, window: MainWindow) -> None:
    window.toggle_sidebar()
    with qtbot.waitSignal(window.sidebar.choices_wanted):
        press(qtbot, window, Qt.Key.Key_K, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    panel = window.sidebar.search_box.panel()
    assert panel.isVisible()
    qtbot.keyClick(panel, Qt.Key.Key_Escape)
    assert not panel.isVisible()


def test_closing_says_so_and_closes_the_dialogs(qtbot: QtBot, window: MainWindow) -> None:
    window.open_settings()
    with qtbot.waitSignal(window.closing):
        press(qtbot, window, Qt.Key.Key_Q)
    assert not any(dialog.isVisible() for dialog in window.dialogs.all_open())


# --- values ---


def test_no_message_is_the_welcome_and_a_first_one_ends_it(window: MainWindow) -> None:
    window.show_conversation(None, [])
    assert window.page.is_welcome()
    assert window.windowTitle() == "Coterie"
    window.add_message(samples.messages()[0])
    assert not window.page.is_welcome()


def test_the_welcome_says_that_the_starter_is_a_demonstration(window: MainWindow) -> None:
    assert "often wrong" in window.page.welcome.about_label.text()
    window.set_models(samples.MODELS, samples.MODELS[2].name)
    assert "Qwen3" in window.page.welcome.about_label.text()
    window.set_models([], None)
    assert "no model yet" in window.page.welcome.about_label.text()


def test_an_example_fills_the_composer(qtbot: QtBot, window: MainWindow) -> None:
    window.show_conversation(None, [])
    qtbot.mouseClick(window.page.welcome.cards[0], Qt.MouseButton.LeftButton)
    assert "mixture of experts" in window.page.composer.text()


def test_without_a_model_nothing_is_sent_and_the_reason_is_said(qtbot: QtBot, window: MainWindow) -> None:
    window.set_models(samples.MODELS, None)
    window.page.composer.set_text("kept")
    with qtbot.assertNotEmitted(window.send_requested):
        qtbot.keyClick(window.page.composer.field, Qt.Key.Key_Return)
    assert window.page.composer.text() == "kept"
    assert "Choose a model" in window.page.composer.hint_label.text()


def test_a_first_start_leads_to_a_first_model(qtbot: QtBot, window: MainWindow) -> None:
    window.set_models([], None)
    window.show_conversation(None, [])
    qtbot.mouseClick(window.page.welcome.download_button, Qt.MouseButton.LeftButton)
    assert window.rooms.current() == "discover"
    window.show_chat()
    qtbot.mouseClick(window.page.welcome.import_button, Qt.MouseButton.LeftButton)
    assert window.rooms.current() == "library"
    window.show_chat()
    window.set_models(samples.MODELS, "starter")
    assert not window.page.welcome.download_button.isVisible()


def test_control_period_stops_only_a_running_answer(qtbot: QtBot, window: MainWindow) -> None:
    with qtbot.assertNotEmitted(window.stop_requested):
        press(qtbot, window, Qt.Key.Key_Period)
    window.set_busy(True)
    with qtbot.waitSignal(window.stop_requested):
        press(qtbot, window, Qt.Key.Key_Period)


def test_drafts_stay_with_their_conversation(window: MainWindow) -> None:
    first, second = samples.conversations()[:2]
    window.page.composer.set_text("for the first")
    window.show_conversation(second, [])
    assert window.page.composer.text() == ""
    window.page.composer.set_text("for the second")
    window.show_conversation(first, samples.messages())
    assert window.page.composer.text() == "for the first"
    window.show_conversation(second, [])
    assert window.page.composer.text() == "for the second"


def test_showing_the_same_conversation_again_keeps_what_is_typed(window: MainWindow) -> None:
    window.page.composer.set_text("half a thought")
    window.show_conversation(samples.conversations()[0], samples.messages())
    assert window.page.composer.text() == "half a thought"


def test_what_is_typed_while_a_new_conversation_is_saved_stays(qtbot: QtBot, window: MainWindow) -> None:
    window.show_conversation(None, [])
    qtbot.keyClicks(window.page.composer.field, "first")
    qtbot.keyClick(window.page.composer.field, Qt.Key.Key_Return)
    qtbot.keyClicks(window.page.composer.field, "second")
    window.show_conversation(samples.conversations()[3], samples.messages())
    assert window.page.composer.text() == "second"
    window.show_conversation(None, [])
    assert window.page.composer.text() == ""


def test_a_message_that_could_not_be_sent_comes_back(window: MainWindow) -> None:
    window.restore_draft("lost and found")
    assert window.page.composer.text() == "lost and found"
    window.page.composer.set_text("newer")
    window.restore_draft("older")
    assert window.page.composer.text() == "older\nnewer"


def test_a_new_title_is_shown_everywhere(window: MainWindow) -> None:
    window.set_conversation(replace(samples.conversations()[0], title="Sparse minds"))
    assert window.page.header.title_label.text() == "Sparse minds"
    assert window.windowTitle() == "Sparse minds - Coterie"


def test_what_is_told_of_another_conversation_changes_no_title(window: MainWindow) -> None:
    window.set_conversation(replace(samples.conversations()[1], title="Another"))
    assert "Another" not in window.windowTitle()


def test_load_progress_is_in_the_picker(window: MainWindow) -> None:
    window.set_engine_state(EngineState("starter", "loading", 437))
    assert "43 %" in window.page.header.picker.text()
    window.page.header.picker.grab()
    window.set_engine_state(EngineState("starter", "failed", error=ValueError()))
    assert "Failed" in window.page.header.picker.accessibleName()
    window.set_engine_state(EngineState("another", "loading", 10))
    assert window.page.header.picker.text() == "starter"
    window.set_engine_state(None)


def test_a_notice_offers_its_action(qtbot: QtBot, window: MainWindow) -> None:
    window.show_notice(notice_for(EngineDied("starter", -1, None, "last words", False)))
    bar = window.page.notice_bar
    assert bar.isVisible()
    qtbot.mouseClick(bar.details_button, Qt.MouseButton.LeftButton)
    assert bar.detail_view.isVisible()
    with qtbot.waitSignal(window.notice_action_requested) as asked:
        qtbot.mouseClick(bar.action_button, Qt.MouseButton.LeftButton)
    assert asked.args == ["restart_engine"]
    assert not bar.isVisible()


def test_the_picker_tells_where_the_loaded_model_lies(window: MainWindow) -> None:
    picker = window.page.header.picker
    assert picker.placement_text() == ""
    window.set_engine_state(EngineState("starter", "ready", 1000, samples.INFO))
    assert "main memory" in picker.placement_text()
    assert "8,192 tokens of context" in picker.toolTip()
    window.set_engine_state(EngineState("another", "ready", 1000, samples.INFO))
    assert picker.placement_text() == ""


def test_a_notice_offers_a_choice(qtbot: QtBot, window: MainWindow) -> None:
    window.show_notice(Notice("warning", "How?", choices=(("This way", "this"), ("That way", "that"))))
    bar = window.page.notice_bar
    assert [button.text() for button in bar.choice_buttons] == ["This way", "That way"]
    with qtbot.waitSignal(window.notice_action_requested) as asked:
        bar.choice_buttons[1].click()
    assert asked.args == ["that"]
    assert bar.notice() is None
    window.show_notice(Notice("info", "All is well."))
    assert not bar.choice_buttons


def test_a_notice_without_action_or_detail_shows_neither(window: MainWindow) -> None:
    window.show_notice(Notice("info", "All is well."))
    assert not window.page.notice_bar.action_button.isVisible()
    assert not window.page.notice_bar.details_button.isVisible()
    window.show_notice(None)
    assert not window.page.notice_bar.isVisible()


def test_the_window_opens_its_own_doors(qtbot: QtBot, window: MainWindow) -> None:
    for action_id in ("open_downloads", "open_settings", "choose_model"):
        window.show_notice(Notice("error", "No.", "Open", action_id))
        with qtbot.waitSignal(window.notice_action_requested):
            window.page.notice_bar.action_button.click()
        if action_id == "open_downloads":
            assert window.rooms.current() == "downloads"
    assert [dialog.isVisible() for dialog in window.dialogs.all_open()] == [True]
    assert window.rooms.current() is None  # a model is chosen beside the conversation


# --- the pages about models ---


def test_pages_come_by_key_button_and_tab_and_go_by_escape(qtbot: QtBot, window: MainWindow) -> None:
    press(qtbot, window, Qt.Key.Key_D)
    assert window.rooms.current() == "discover"
    assert window.windowTitle() == "Discover - Coterie"
    assert window.sidebar.discover_button.isChecked()
    qtbot.mouseClick(window.sidebar.models_button, Qt.MouseButton.LeftButton)
    assert window.rooms.current() == "library"
    assert not window.sidebar.discover_button.isChecked()
    qtbot.mouseClick(window.rooms.room().tabs["downloads"], Qt.MouseButton.LeftButton)
    assert window.rooms.current() == "downloads"
    qtbot.keyClick(window.rooms.room().downloads.reference_field, Qt.Key.Key_Escape)
    assert window.rooms.current() is None
    assert not window.sidebar.downloads_button.isChecked()
    assert window.windowTitle().startswith("What a mixture")
    assert window.focusWidget() is window.page.composer.field


def test_a_conversation_leads_back_even_the_one_that_was_shown(qtbot: QtBot, window: MainWindow) -> None:
    window.open_models()
    with qtbot.assertNotEmitted(window.conversation_selected):
        window.sidebar.conversation_chosen.emit(1)
    assert window.rooms.current() is None
    window.open_models()
    with qtbot.waitSignal(window.conversation_selected):
        window.sidebar.conversation_chosen.emit(2)
    assert window.rooms.current() is None
    window.open_models()
    with qtbot.waitSignal(window.new_conversation_requested):
        press(qtbot, window, Qt.Key.Key_N)
    assert window.rooms.current() is None


def test_notices_are_seen_on_every_page(window: MainWindow) -> None:
    window.open_downloads()
    window.show_notice(Notice("info", "All is well."))
    assert window.page.notice_bar.isVisible()
    window.show_chat()
    assert window.page.notice_bar.isVisible()


def test_chatting_with_a_model_chooses_it(qtbot: QtBot, window: MainWindow) -> None:
    window.open_models()
    with qtbot.waitSignal(window.model_selected) as chosen:
        window.rooms.chat_requested.emit("starter")
    assert chosen.args == ["starter"]
    assert window.rooms.current() is None


def test_values_of_before_are_on_a_page_that_is_opened_later(window: MainWindow) -> None:
    window.set_downloads(samples.downloads())
    window.rooms.set_shelf(pages.SHELF)
    window.rooms.set_model_progress("starter", 300)
    window.open_downloads()
    room = window.rooms.room()
    assert room.downloads.cards.all_keys()
    assert room.library.view.faces.rowCount() == len(samples.MODELS)
    assert room.library.view.faces.all()[0].permille == 300


# --- layout, look and language ---


def test_the_layout_comes_back(qtbot: QtBot, window: MainWindow) -> None:
    window.resize(700, 600)  # the offscreen screen has 800 pixels
    window.splitter.setSizes([250, 450])
    kept = window.layout()
    again = MainWindow()
    qtbot.addWidget(again)
    again.restore_layout(kept["window_geometry"], kept["window_state"], kept["splitter_sizes"])
    again.show()
    assert again.size() == window.size()
    assert again.splitter.sizes() == window.splitter.sizes()


def test_a_hidden_side_bar_stays_hidden(qtbot: QtBot, window: MainWindow) -> None:
    window.toggle_sidebar()
    kept = window.layout()
    assert kept["splitter_sizes"][0] == 0
    again = MainWindow()
    qtbot.addWidget(again)
    again.restore_layout(kept["window_geometry"], kept["window_state"], kept["splitter_sizes"])
    again.show()
    assert not again.sidebar.isVisible()


def test_nonsense_in_the_layout_is_ignored(window: MainWindow) -> None:
    window.restore_layout("not base64!", "AAAA", [1, 2, 3])
    window.restore_layout(None, None, None)


def test_the_theme_changes_at_once(window: MainWindow) -> None:
    def background() -> QColor:
        return QApplication.palette().color(QPalette.ColorRole.Window)

    window.set_settings({"theme": "dark"})
    assert theme.is_dark()
    assert background() == theme.DARK.window
    window.set_settings({"theme": "light"})
    assert background() == theme.LIGHT.window


def test_the_language_changes_at_once_and_everywhere(window: MainWindow) -> None:
    window.open_downloads()
    window.open_models()
    window.open_settings()
    window.set_settings({"language": "zh_CN"})
    assert i18n.language() == "zh_CN"
    assert window.sidebar.new_button.text().strip() == "新对话"
    assert window.page.composer.button.accessibleName() == "发送"
    assert window.page.welcome.greeting_label.text() == "今天想聊点什么？"
    assert window.sidebar.conversations.index(0).data() == "今天"
    assert [dialog.windowTitle() for dialog in window.dialogs.all_open()] == ["设置"]
    assert window.rooms.room().tabs["library"].text() == "模型库"
    assert window.rooms.room().downloads.start_button.text() == "下载"
    window.set_settings({"language": "en"})
    assert window.sidebar.new_button.text().strip() == "New conversation"


def test_zoom_changes_all_text_and_is_a_setting(qtbot: QtBot, window: MainWindow) -> None:
    before = window.sidebar.new_button.fontMetrics().height()
    with qtbot.waitSignal(window.setting_changed) as changed:
        press(qtbot, window, Qt.Key.Key_Plus)
    assert changed.args == ["zoom_percent", 110]
    for _ in range(3):
        press(qtbot, window, Qt.Key.Key_Plus)
    assert window.sidebar.new_button.fontMetrics().height() > before
    press(qtbot, window, Qt.Key.Key_0)
    assert theme.zoom_percent() == 100
    assert window.sidebar.new_button.fontMetrics().height() == before


def test_conversation_settings_are_passed_on(qtbot: QtBot, window: MainWindow) -> None:
    window.commands.action("Conversation settings…").trigger()
    dialog: Any = QApplication.activeModalWidget()
    dialog.prompt_field.setPlainText("Be brief.")
    with qtbot.waitSignal(window.conversation_settings_changed) as changed:
        dialog.save_button.click()
    assert changed.args == [ConversationSettings(samples.conversations()[0].title, "Be brief.", {})]


# --- everyone can use it ---


def test_every_button_and_field_has_a_name(window: MainWindow) -> None:
    window.rooms.set_shelf(pages.SHELF)
    window.open_downloads()
    window.open_discover()
    window.open_models()
    window.rooms.room().library.open_entry("starter")
    window.open_settings()
    window.set_downloads(samples.downloads())
    nameless = [
        widget
        for top in (window, *window.dialogs.all_open())
        for widget in top.findChildren(QWidget)
        if isinstance(widget, QAbstractButton | QLineEdit)
        and widget.isVisibleTo(top)
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not (
            widget.accessibleName() or getattr(widget, "text", str)() or widget.objectName().startswith("qt_")
        )
    ]
    assert not [(type(w).__name__, w.objectName(), type(w.parent()).__name__) for w in nameless]


def test_tab_reaches_everything(qtbot: QtBot, window: MainWindow) -> None:
    reached: set[QWidget] = set()
    window.page.composer.set_text("x")
    window.page.composer.field.setFocus()
    for _ in range(40):
        widget = window.focusWidget()
        if widget is None or widget in reached:
            break
        reached.add(widget)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    wanted = {
        window.sidebar.menu_button,
        window.sidebar.new_button,
        window.sidebar.search_field,
        window.sidebar.list_view,
        window.sidebar.models_button,
        window.sidebar.downloads_button,
        window.sidebar.settings_button,
        window.page.header.sidebar_button,
        window.page.header.settings_button,
        window.page.header.picker,
        window.page.composer.field,
        window.page.composer.button,
    }
    assert wanted <= reached


def test_very_long_names_do_not_widen_the_window(window: MainWindow) -> None:
    window.resize(window.minimumSize())
    longest = replace(samples.conversations()[0], title="long " * 300)
    model = replace(samples.MODELS[2], name="m" * 400)
    window.sidebar.set_conversations([longest], longest.id)
    window.show_conversation(longest, samples.messages())
    window.set_models([model], model.name)
    window.show_notice(Notice("error", "word " * 100, "Try again", "retry", "x" * 4000))
    QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
    assert window.minimumSizeHint().width() <= window.minimumWidth()
    window.grab()


def test_streaming_reaches_the_transcript(window: MainWindow) -> None:
    from ui.values import StreamUpdate

    answer = Message(9, 1, 2, "assistant", "streaming", samples.NOW, ())
    window.add_message(answer)
    window.set_busy(True)
    window.page.transcript.apply_stream(StreamUpdate(9, "text", text="So far"))
    window.page.transcript.replace_message(
        replace(answer, status="complete", parts=(Part("text", "So far, so good"),))
    )
    window.set_busy(False)
    window.grab()
