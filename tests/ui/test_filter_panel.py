"""The form of the filter, field by field, and what it is in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import QDate, QPoint, Qt
from PySide6.QtWidgets import QComboBox, QWidget
from pytestqt.qtbot import QtBot

from storage.records import Filter
from ui import filter_words, i18n
from ui.filter_panel import FilterPanel
from ui.values import Choices

CHOICES = Choices(("Work", "Work/R&D"), ("draft", "moe"), ("starter", "gone-model"))


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[FilterPanel]:
    window = QWidget()
    qtbot.addWidget(window)
    made = FilterPanel(window)
    made.set_choices(CHOICES)
    made.set_conversation(5)
    window.show()
    yield made
    made.hide()


def choose(box: QComboBox, words: str) -> None:
    box.setCurrentIndex(box.findText(words))
    assert box.currentText() == words


def choose_tag(panel: FilterPanel, name: str) -> None:
    (action,) = (action for action in panel.tag_button.menu().actions() if action.text() == name)
    action.trigger()


def test_nothing_is_left_out_at_first(panel: FilterPanel) -> None:
    assert panel.where() == Filter()
    assert panel.order() == "newest"


def test_every_field_of_the_filter_can_be_chosen_and_cleared(qtbot: QtBot, panel: FilterPanel) -> None:
    choose(panel.folder_box, "Work/R&D")
    choose(panel.model_box, "gone-model")
    choose(panel.role_box, "The model")
    choose(panel.part_box, "Reasoning")
    choose(panel.rating_box, "Good answers")
    choose(panel.order_box, "By relevance")
    choose_tag(panel, "moe")
    choose_tag(panel, "draft")
    panel.here_box.click()
    panel.archive_box.click()
    assert panel.where() == Filter(
        model="gone-model",
        folder="Work/R&D",
        tags=("moe", "draft"),
        is_archived=True,
        conversation_id=5,
        role="assistant",
        part="reasoning",
        rating=1,
    )
    assert panel.order() == "relevance"
    with qtbot.waitSignal(panel.changed):
        qtbot.mouseClick(panel.clear_button, Qt.MouseButton.LeftButton)
    assert panel.where() == Filter()
    with qtbot.assertNotEmitted(panel.changed):
        panel.clear()


def test_tab_goes_down_the_form(qtbot: QtBot, panel: FilterPanel) -> None:
    panel.open_below(panel.parentWidget())
    choose(panel.time_box, "Between two days")
    way = [panel.focusWidget()]
    for _ in range(20):  # a date takes three: its year, its month, its day
        widget = way[-1]
        assert widget is not None
        if widget is panel.clear_button:
            break
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
        if panel.focusWidget() is not widget:
            way.append(panel.focusWidget())
    tops = [widget.mapTo(panel, QPoint(0, 0)).y() for widget in way if widget is not None]
    assert way[0] is panel.time_box
    assert way[-1] is panel.clear_button
    assert tops == sorted(tops)


def test_no_folder_is_another_thing_than_all(panel: FilterPanel) -> None:
    choose(panel.folder_box, "No folder")
    assert panel.where() == Filter(folder="")
    assert filter_words.summary(panel.where()) == "No folder"


def test_days_are_whole_days_of_this_machine(panel: FilterPanel) -> None:
    now = datetime.now(UTC)
    choose(panel.time_box, "Today")
    since = panel.where().since
    assert since is not None
    assert since.tzinfo is not None
    assert (since.hour, since.minute) == (0, 0)
    assert timedelta(0) <= now - since < timedelta(days=1, minutes=1)
    choose(panel.time_box, "Between two days")
    panel.since_field.setDate(QDate(2026, 11, 24))
    panel.until_field.setDate(QDate(2026, 11, 3))  # the wrong way round
    where = panel.where()
    assert where.since is not None
    assert where.until is not None
    assert (where.since.day, where.until.day, where.until.hour) == (3, 24, 23)
    assert filter_words.summary(where) == "3 Nov 2026 - 24 Nov 2026"


def test_what_is_gone_stays_chosen_until_it_is_taken_away(panel: FilterPanel) -> None:
    choose(panel.folder_box, "Work")
    choose_tag(panel, "moe")
    panel.set_choices(Choices(("Home",), (), ()))
    assert (panel.where().folder, panel.where().tags) == ("Work", ("moe",))
    choose_tag(panel, "moe")
    assert panel.where().tags == ()
    assert not panel.tag_button.isEnabled()


def test_only_here_follows_the_conversation_that_is_shown(qtbot: QtBot, panel: FilterPanel) -> None:
    panel.here_box.click()
    with qtbot.waitSignal(panel.changed):
        panel.set_conversation(6)
    assert panel.where().conversation_id == 6
    with qtbot.waitSignal(panel.changed):
        panel.set_conversation(None)
    assert panel.where() == Filter()
    assert not panel.here_box.isEnabled()


def test_another_language_changes_no_choice(panel: FilterPanel) -> None:
    choose(panel.part_box, "Titles")
    choose(panel.folder_box, "Work")
    before = panel.where()
    i18n.set_language("zh_CN")
    try:
        panel.retranslate()
        assert panel.where() == before
        assert panel.part_box.currentText() == "标题"
    finally:
        i18n.set_language("en")


def test_everything_is_said_in_one_line() -> None:
    where = Filter(
        since=datetime(2026, 11, 1, tzinfo=UTC),
        model="starter",
        folder="Work",
        tags=("a", "b"),
        is_archived=True,
        conversation_id=1,
        role="user",
        part="title",
        rating=-1,
    )
    assert filter_words.summary(where).split(" · ") == [
        "this conversation",
        "Work",
        "#a",
        "#b",
        "starter",
        "since 1 Nov 2026",
        "You",
        "Titles",
        "Bad answers",
        "archived",
    ]
    assert filter_words.summary(Filter()) == ""
