"""Numbers in answers that open the passages they name."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from tests.ui.chat.conftest import at_control, at_words, make_message
from ui.chat.blocks import split
from ui.chat.cited import cited, number_of
from ui.chat.markdown import parse_block
from ui.chat.transcript import Transcript
from ui.knowledge.values import CitedPassage

ONE, TWO = (CitedPassage(n, f"notes.md:{n}", f"/notes/{n}.md", f"Passage {n}.") for n in (1, 2))


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("So it is [1], and [2].", ["[1]", "[2]"]),
        ("Both[1][2]", ["[1]", "[2]"]),
        ("- in **bold [2]**", ["[2]"]),
        ("| a | b |\n|---|---|\n| [1] | x |", ["[1]"]),
        ("an [3] that is not there, `a[1]` and [x](https://example.org)", []),
        ("```\na[1]\n```", []),
        ("$x[1]$", []),
    ],
)
def test_numbers_become_links(text: str, linked: list[str]) -> None:
    specs = [spec for block in split(text) for spec in cited(parse_block(block), frozenset((1, 2)))]
    spans = [
        span
        for spec in specs
        for spans in (spec.spans, *(c for row in spec.rows for c in row))
        for span in spans
    ]
    found = [span.text for span in spans if span.href and number_of(span.href) is not None]
    assert found == linked
    plain = [span for spec in (s for b in split(text) for s in parse_block(b)) for span in spec.spans]
    assert "".join(span.text for spec in specs for span in spec.spans) == "".join(span.text for span in plain)


def test_a_number_and_the_button_open_passages(qtbot: QtBot, view: Transcript) -> None:
    view.set_messages([make_message(1, "user", "Why?"), make_message(2, text="[2] says so.")])
    names = [button.id for button in view.scene.items[1].controls()]
    assert "passages" not in names
    view.set_sources({1: (ONE, TWO)})
    with qtbot.waitSignal(view.passages_requested) as opened:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at_words(view, 1, offset=1))
    assert opened.args == [(ONE, TWO), 2]
    with qtbot.waitSignal(view.passages_requested) as opened:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at_control(view, 1, "passages"))
    assert opened.args == [(ONE, TWO), None]
    assert view.scene.items[1].words_of("passage:2") == "notes.md:2"


def test_an_answer_that_comes_later_knows_its_passages(view: Transcript) -> None:
    view.set_messages([make_message(1, "user", "Why?")])
    view.set_sources({1: (ONE,)})
    view.add_message(make_message(2, text="Because [1]."))
    assert view.scene.items[1].sources == (ONE,)
    assert "passages" in [button.id for button in view.scene.items[1].controls()]
