from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from storage.records import Conversation, Filter, SearchHit
from tests.helpers import window_samples as samples
from ui.conversation_menu import ConversationMenu
from ui.name_dialog import NameDialog
from ui.sidebar import Sidebar
from ui.values import Choices, Search, Shelving

NOW = datetime.now(UTC)
MOUSE, KEYBOARD = QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard


def many(n: int) -> list[Conversation]:
    return [Conversation(i, f"Number {i}", NOW, NOW - timedelta(minutes=i)) for i in range(n)]


@pytest.fixture
def sidebar(qtbot: QtBot) -> Sidebar:
    widget = Sidebar()
    qtbot.addWidget(widget)
    widget.resize(260, 600)
    widget.set_conversations(many(5), 0)
    widget.show()
    return widget


def row(sidebar: Sidebar, conversation_id: int) -> QModelIndex:
    return sidebar.conversations.index_of(conversation_id)


def click(qtbot: QtBot, sidebar: Sidebar, conversation_id: int) -> None:
    view = sidebar.list_view
    where = view.visualRect(row(sidebar, conversation_id)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=where)


def test_a_click_chooses(qtbot: QtBot, sidebar: Sidebar) -> None:
    with qtbot.waitSignal(sidebar.conversation_chosen) as chosen:
        click(qtbot, sidebar, 3)
    assert chosen.args == [3]


def test_the_current_one_is_chosen_too_for_another_page_may_be_seen(qtbot: QtBot, sidebar: Sidebar) -> None:
    with qtbot.waitSignal(sidebar.conversation_chosen) as chosen:
        click(qtbot, sidebar, 0)
    assert chosen.args == [0]


def test_the_page_that_is_seen_is_marked(sidebar: Sidebar) -> None:
    sidebar.set_n_active_downloads(2)
    sidebar.set_room("downloads")
    assert sidebar.downloads_button.isChecked()
    assert sidebar.room_name("downloads") == "Downloads"
    sidebar.set_room("")
    assert not sidebar.downloads_button.isChecked()


def test_arrows_and_enter_choose(qtbot: QtBot, sidebar: Sidebar) -> None:
    sidebar.list_view.setCurrentIndex(row(sidebar, 0))
    qtbot.keyClick(sidebar.list_view, Qt.Key.Key_Down)
    with qtbot.waitSignal(sidebar.conversation_chosen) as chosen:
        qtbot.keyClick(sidebar.list_view, Qt.Key.Key_Return)
    assert chosen.args == [1]


def test_f2_renames_in_place(qtbot: QtBot, sidebar: Sidebar) -> None:
    sidebar.list_view.setCurrentIndex(row(sidebar, 2))
    qtbot.keyClick(sidebar.list_view, Qt.Key.Key_F2)
    editor = sidebar.list_view.findChild(QLineEdit, "title_editor")
    assert isinstance(editor, QLineEdit)
    editor.setText("Better")
    with qtbot.waitSignal(sidebar.rename_requested) as asked:
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert asked.args == [2, "Better"]


def test_new_values_wait_while_a_title_is_typed(qtbot: QtBot, sidebar: Sidebar) -> None:
    sidebar.list_view.setCurrentIndex(row(sidebar, 2))
    qtbot.keyClick(sidebar.list_view, Qt.Key.Key_F2)
    sidebar.set_conversations(many(9), 0)
    assert sidebar.list_view.is_editing()
    assert not row(sidebar, 8).isValid()
    editor = sidebar.list_view.findChild(QLineEdit, "title_editor")
    assert isinstance(editor, QLineEdit)
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: row(sidebar, 8).isValid())


def test_delete_asks_nothing_as_it_can_be_taken_back(qtbot: QtBot, sidebar: Sidebar) -> None:
    deleted: list[Any] = []
    sidebar.trash_requested.connect(deleted.append)
    sidebar.list_view.setCurrentIndex(row(sidebar, 4))
    qtbot.keyClick(sidebar.list_view, Qt.Key.Key_Delete)
    assert deleted == [4]


def press_menu(sidebar: Sidebar, where: QPoint, reason: QContextMenuEvent.Reason) -> None:
    view = sidebar.list_view
    event = QContextMenuEvent(reason, where, view.viewport().mapToGlobal(where))
    QApplication.sendEvent(view if reason == KEYBOARD else view.viewport(), event)


def menu_of(sidebar: Sidebar, conversation: Conversation) -> ConversationMenu:
    sidebar.open_menu(conversation, sidebar.mapToGlobal(QPoint(40, 40)))
    menu = sidebar.window().findChild(ConversationMenu)
    assert isinstance(menu, ConversationMenu)
    return menu


def words(menu: QMenu) -> list[str]:
    return [action.text() for action in menu.actions() if not action.isSeparator()]


def under(menu: QMenu, name: str) -> QMenu:
    (found,) = (action.menu() for action in menu.actions() if action.text() == name)
    assert isinstance(found, QMenu)
    return found


def choose(menu: QMenu, name: str) -> None:
    (found,) = (action for action in menu.actions() if action.text() == name)
    found.trigger()


def test_the_context_menu_speaks_the_words_of_the_command_line(sidebar: Sidebar) -> None:
    press_menu(sidebar, sidebar.list_view.visualRect(row(sidebar, 1)).center(), MOUSE)
    menu = sidebar.window().findChild(ConversationMenu)
    assert isinstance(menu, ConversationMenu)
    assert words(menu) == [
        "Rename",
        "Pin",
        "Move to a folder",
        "Tags",
        "Archive",
        "Export…",
        "Move to the trash",
    ]
    menu.close()


def test_what_is_done_is_offered_to_be_undone(sidebar: Sidebar) -> None:
    menu = menu_of(sidebar, Conversation(1, "x", NOW, NOW, is_pinned=True, archived_at=NOW))
    assert {"Unpin", "Unarchive"} <= set(words(menu))
    menu.close()


def test_folders_and_tags_are_chosen_and_made(
    qtbot: QtBot, sidebar: Sidebar, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Shelving] = []
    sidebar.shelved.connect(asked.append)
    monkeypatch.setattr(NameDialog, "ask", lambda _parent, title, *_more: f"{title} of mine")
    sidebar.set_choices(Choices(("Work", "Work/R&D"), ("draft", "moe")))
    menu = menu_of(sidebar, Conversation(7, "x", NOW, NOW, folder="Work", tags=("MoE", "old")))
    folders, tags = under(menu, "Move to a folder"), under(menu, "Tags")
    assert words(folders) == ["Work", "Work/R&&D", "No folder", "New folder…"]
    assert [a.text() for a in folders.actions() if a.isChecked()] == ["Work"]
    assert [a.text() for a in tags.actions() if a.isChecked()] == ["moe", "MoE", "old"]
    choose(folders, "Work/R&&D")
    choose(folders, "No folder")
    choose(folders, "New folder…")
    choose(tags, "draft")
    choose(tags, "old")
    choose(tags, "New tag…")
    assert asked == [
        Shelving(7, "move", "Work/R&D"),
        Shelving(7, "move"),
        Shelving(7, "move", "New folder of mine"),
        Shelving(7, "tag", "draft"),
        Shelving(7, "untag", "old"),
        Shelving(7, "tag", "New tag of mine"),
    ]
    menu.close()


def test_the_menu_key_opens_the_menu_at_its_row(qtbot: QtBot, sidebar: Sidebar) -> None:
    view = sidebar.list_view
    view.setCurrentIndex(row(sidebar, 3))
    press_menu(sidebar, QPoint(20, 4), KEYBOARD)
    menu = sidebar.window().findChild(ConversationMenu)
    assert isinstance(menu, ConversationMenu)
    with qtbot.waitSignal(sidebar.trash_requested) as thrown:
        choose(menu, "Move to the trash")
    assert thrown.args == [3]
    menu.close()


def test_headings_have_no_context_menu(qtbot: QtBot, sidebar: Sidebar) -> None:
    press_menu(sidebar, QPoint(20, 4), MOUSE)
    assert sidebar.findChild(ConversationMenu) is None


def test_search_waits_for_the_typing_to_end(qtbot: QtBot, sidebar: Sidebar) -> None:
    said: list[Search] = []
    sidebar.search_changed.connect(said.append)
    with qtbot.waitSignal(sidebar.search_changed):
        qtbot.keyClicks(sidebar.search_field, " expert ")
    assert said == [Search("expert")]


def test_hits_replace_the_list_and_escape_brings_it_back(qtbot: QtBot, sidebar: Sidebar) -> None:
    sidebar.search_field.setText("expert")
    sidebar.set_hits(samples.hits())
    assert sidebar.hits_view.isVisible()
    with qtbot.waitSignal(sidebar.search_changed) as ended:
        qtbot.keyClick(sidebar.search_field, Qt.Key.Key_Escape)
    assert ended.args == [Search()]
    assert sidebar.list_view.isVisible()


def test_nothing_found_is_said(sidebar: Sidebar) -> None:
    sidebar.search_field.setText("zebra")
    sidebar.set_hits([])
    assert sidebar.empty_label.text() == "Nothing found for “zebra”."
    assert sidebar.empty_label.isVisible()


def test_late_hits_of_an_ended_search_are_ignored(sidebar: Sidebar) -> None:
    sidebar.set_hits(samples.hits())
    assert sidebar.list_view.isVisible()


def test_enter_in_the_search_field_opens_the_first_hit(qtbot: QtBot, sidebar: Sidebar) -> None:
    sidebar.search_field.setText("expert")
    sidebar.set_hits(samples.hits())
    with qtbot.waitSignal(sidebar.hit_chosen) as chosen:
        qtbot.keyClick(sidebar.search_field, Qt.Key.Key_Return)
    assert chosen.args == [samples.hits()[0]]


def test_more_hits_are_asked_for_at_their_end(qtbot: QtBot, sidebar: Sidebar) -> None:
    hits = [SearchHit(i, i, "text", f"hit {i}", "x", NOW) for i in range(60)]
    sidebar.search_field.setText("hit")
    sidebar.set_hits(hits[:30], True)
    view = sidebar.hits_view
    with qtbot.waitSignal(sidebar.more_hits_requested):
        view.scrollToBottom()
    scroll = view.verticalScrollBar().value()
    sidebar.set_hits(hits, False)
    assert view.model().rowCount() == 60
    assert view.verticalScrollBar().value() == scroll
    with qtbot.assertNotEmitted(sidebar.more_hits_requested, wait=50):
        view.scrollToBottom()


def test_a_filter_is_said_where_it_leaves_nothing(qtbot: QtBot, sidebar: Sidebar) -> None:
    box = sidebar.search_box
    with qtbot.waitSignal(sidebar.search_changed) as changed:
        box.panel().archive_box.click()
    assert changed.args == [Search("", Filter(is_archived=True))]
    sidebar.set_conversations([], None)
    assert sidebar.empty_label.text() == "The filter leaves no conversation."
    assert box.summary_label.text() == "archived"
    sidebar.search_field.setText("zebra")
    sidebar.set_hits([])
    assert "The filter leaves out the rest." in sidebar.empty_label.text()
    qtbot.mouseClick(box.clear_button, Qt.MouseButton.LeftButton)
    assert not box.is_filtered()
    assert not box.clear_button.isVisible()


def test_no_conversation_is_an_invitation(sidebar: Sidebar) -> None:
    sidebar.set_conversations([], None)
    assert "listed here" in sidebar.empty_label.text()
    assert sidebar.empty_label.isVisible()


def test_a_thousand_conversations_and_very_long_names(qtbot: QtBot, sidebar: Sidebar) -> None:
    longest = Conversation(5000, "漫長 long " * 200, NOW, NOW)
    sidebar.set_conversations([longest, *many(1000)], 999)
    assert sidebar.list_view.currentIndex() == row(sidebar, 999)
    assert sidebar.list_view.visualRect(row(sidebar, 999)).intersects(sidebar.list_view.viewport().rect())
    sidebar.grab()
    assert sidebar.width() == 260


def test_more_of_the_list_is_asked_for_at_its_end(qtbot: QtBot, sidebar: Sidebar) -> None:
    everything = many(250)
    sidebar.set_conversations(everything[:100], 150, has_more=True)
    view = sidebar.list_view
    assert not view.currentIndex().isValid()
    with qtbot.waitSignal(sidebar.more_requested) as asked:
        view.scrollToBottom()
    assert asked.args == [99]
    scroll = view.verticalScrollBar().value()
    sidebar.add_conversations(99, everything[100:200], True)
    assert view.verticalScrollBar().value() == scroll
    assert view.currentIndex() == row(sidebar, 150)  # it was shown before it was listed
    with qtbot.waitSignal(sidebar.more_requested):
        qtbot.keyClick(view, Qt.Key.Key_End)
    sidebar.add_conversations(199, everything[200:], False)
    with qtbot.assertNotEmitted(sidebar.more_requested, wait=50):
        qtbot.keyClick(view, Qt.Key.Key_End)
    assert row(sidebar, 249).isValid()


def test_pieces_of_a_list_that_has_changed_since_are_not_shown(sidebar: Sidebar) -> None:
    sidebar.set_conversations(many(100), None, has_more=True)
    sidebar.set_conversations(many(50), None, has_more=True)
    sidebar.add_conversations(99, many(200)[100:], False)
    assert not row(sidebar, 100).isValid()
    assert sidebar.conversations.canFetchMore(QModelIndex())


def test_active_downloads_are_counted(sidebar: Sidebar) -> None:
    sidebar.set_n_active_downloads(3)
    assert "3" in sidebar.downloads_button.text()
    sidebar.set_n_active_downloads(0)
    assert sidebar.downloads_button.text().strip() == "Downloads"
