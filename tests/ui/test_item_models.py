"""The item models: correct for Qt, and correct for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from storage.records import Conversation, SearchHit
from tests.helpers import window_samples as samples
from ui.chat.model_picker import ModelChoices, describe
from ui.conversation_list import ConversationList
from ui.search_hits import SearchHits, split_matches

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def conversation(number: int, age_days: float = 0, title: str | None = None) -> Conversation:
    moment = NOW - timedelta(days=age_days)
    return Conversation(number, f"Number {number}" if title is None else title, moment, moment)


def texts(model: ConversationList) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def test_conversation_list_is_a_correct_model(qtmodeltester: Any) -> None:
    model = ConversationList()
    qtmodeltester.check(model)
    model.set_conversations([conversation(i, i) for i in range(60)], NOW)
    qtmodeltester.check(model)
    model.set_conversations([conversation(i, i, "renamed") for i in range(60)], NOW)
    model.set_conversations([conversation(3)], NOW)
    qtmodeltester.check(model)


def test_what_is_added_stands_under_the_heading_that_is_there(qtmodeltester: Any) -> None:
    model = ConversationList()
    model.set_conversations([conversation(1), conversation(2, 60)], has_more=True)
    model.add_conversations(2, [conversation(3, 60), conversation(4, 120)], False)
    assert texts(model)[2:] == ["September 2026", "Number 2", "Number 3", "July 2026", "Number 4"]
    model.set_conversations([conversation(i, i) for i in range(60)], NOW, has_more=True)
    qtmodeltester.check(model)


def test_conversations_stand_under_headings() -> None:
    model = ConversationList()
    model.set_conversations(
        [conversation(1), conversation(2, 0.1), conversation(3, 1), conversation(4, 5)], NOW
    )
    assert texts(model) == [
        "Today",
        "Number 1",
        "Number 2",
        "Yesterday",
        "Number 3",
        "Last 7 days",
        "Number 4",
    ]
    assert model.flags(model.index(0)) & Qt.ItemFlag.ItemIsEnabled == Qt.ItemFlag.NoItemFlags


def test_a_changed_title_keeps_the_rows(qtbot: QtBot) -> None:
    model = ConversationList()
    model.set_conversations([conversation(1), conversation(2)], NOW)
    with qtbot.assertNotEmitted(model.modelReset), qtbot.waitSignal(model.dataChanged) as changed:
        model.set_conversations([conversation(1), conversation(2, title="New name")], NOW)
    assert changed.args[0].row() == 2


def test_renaming_is_an_intention_and_changes_nothing(qtbot: QtBot) -> None:
    model = ConversationList()
    model.set_conversations([conversation(7)], NOW)
    with qtbot.waitSignal(model.rename_requested) as asked:
        assert model.setData(model.index(1), "  Better  ")
    assert asked.args == [7, "Better"]
    assert model.index(1).data() == "Number 7"
    assert not model.setData(model.index(1), "   ")
    assert not model.setData(model.index(1), "Number 7")


def test_a_conversation_without_title_has_words(qapp: QApplication) -> None:
    model = ConversationList()
    model.set_conversations([conversation(1, title=" ")], NOW)
    assert model.index(1).data() == "New conversation"
    assert model.index(1).data(Qt.ItemDataRole.EditRole) == " "


def test_search_hits_is_a_correct_model(qtmodeltester: Any) -> None:
    model = SearchHits()
    qtmodeltester.check(model)
    model.set_hits(samples.hits())
    qtmodeltester.check(model)


def test_hits_say_where_they_were_found() -> None:
    model = SearchHits()
    model.set_hits(samples.hits())
    spoken = [model.index(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(3)]
    assert "(in reasoning)" not in spoken[0]
    assert "(in reasoning)" in spoken[1]
    assert "\ue000" not in "".join(spoken)


@pytest.mark.parametrize(
    ("snippet", "text", "ranges"),
    [
        ("plain", "plain", []),
        ("\ue000a\ue001 b \ue000cd\ue001", "a b cd", [(0, 1), (4, 2)]),
        ("x\ny \ue000专家\ue001", "x y 专家", [(4, 2)]),
        ("😀 \ue000b\ue001", "😀 b", [(3, 1)]),
        ("\ue000cut", "cut", [(0, 3)]),
        ("cut\ue001 off", "cut off", []),
    ],
)
def test_matches_are_found_in_utf16_units(snippet: str, text: str, ranges: list[tuple[int, int]]) -> None:
    assert split_matches(snippet) == (text, ranges)


def test_model_choices_is_a_correct_model(qtmodeltester: Any) -> None:
    model = ModelChoices()
    qtmodeltester.check(model)
    model.set_entries(samples.MODELS, "starter")
    qtmodeltester.check(model)


def test_models_are_described() -> None:
    assert describe(samples.MODELS[0]) == "512 MB · llama · 8 experts, 2 active · Q4_1"
    assert describe(samples.MODELS[2]) == "17.7 GB · qwen3moe · 128 experts, 8 active · Q4_K_XL"
    assert describe(samples.MODELS[3]) == "The file is missing"
    assert "dense" in describe(samples.MODELS[4])


def test_a_missing_model_cannot_be_chosen() -> None:
    model = ModelChoices()
    model.set_entries(samples.MODELS, "starter")
    assert not model.flags(model.index(3)) & Qt.ItemFlag.ItemIsEnabled
    assert model.current_index().row() == 0


def test_hit_of_a_conversation_without_title() -> None:
    model = SearchHits()
    model.set_hits([SearchHit(1, 2, "text", "s", "", NOW)])
    assert model.index(0).data() == "New conversation"
