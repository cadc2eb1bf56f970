"""A transcript on an offscreen screen, and messages to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot

from storage.records import Generation, Message, MessageStatus, Part, Role
from ui import theme
from ui.chat.message_item import ANSWER
from ui.chat.transcript import Transcript

MakeMessage = Callable[..., Message]


def make_message(
    number: int,
    role: Role = "assistant",
    text: str = "",
    *,
    reasoning: str = "",
    status: MessageStatus = "complete",
    siblings: tuple[int, ...] = (),
    stop_reason: str | None = None,
) -> Message:
    parts = tuple(Part(kind, words) for kind, words in (("reasoning", reasoning), ("text", text)) if words)  # type: ignore[arg-type]  # kinds are literals
    generation = Generation("model-a", stop_reason=stop_reason) if role == "assistant" else None
    parent = number - 1 if number > 1 else None
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return Message(number, 1, parent, role, status, now, parts, generation, siblings or (number,))


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[Transcript]:
    theme.apply("light")
    transcript = Transcript()
    qtbot.addWidget(transcript)
    transcript.resize(800, 600)
    with qtbot.waitExposed(transcript):
        transcript.show()
    yield transcript
    transcript.workshop.close()


def at_control(view: Transcript, number: int, name: str) -> QPoint:
    """Where a button of a message is, in the viewport."""
    (button,) = [button for button in view.scene.items[number].controls() if button.id == name]
    top = view.scene.top_of(number) - view.offset
    return (button.rect.center() + QPointF(0, top)).toPoint()


def at_words(
    view: Transcript, number: int, block: int = 0, offset: int = 0, *, section: int = ANSWER
) -> QPoint:
    """Where a letter of a message is, in the viewport."""
    item = view.scene.items[number]
    column = item.columns[section]
    found = [(piece, top) for at, inner, piece, top in column.pieces() if (at, inner) == (block, 0)]
    piece, top = found[0]
    corner = item.section_rect(section).topLeft() + QPointF(piece.indent, top)
    caret = piece._rich.caret(offset)  # type: ignore[attr-defined]  # tests point at paragraphs only
    y = view.scene.top_of(number) - view.offset
    return (corner + QPointF(caret.left() + 1, caret.center().y() + y)).toPoint()


def click(qtbot: QtBot, view: Transcript, where: QPoint) -> None:
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=where)
