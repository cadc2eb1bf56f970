"""Where the parts of one message stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRectF

from storage.records import Message
from ui.chat.style import Style


@dataclass(slots=True)
class Rows:
    """Where things stand, in the item's coordinates; a rectangle without height is not there."""

    header: QRectF
    thinking: QRectF
    reasoning: QRectF
    tools_heading: QRectF
    tools: QRectF
    waiting: QRectF
    answer: QRectF
    bubble: QRectF
    status: QRectF
    footer: QRectF


NOWHERE: Final = Rows(*(QRectF() for _ in range(10)))


def estimated_height(message: Message, style: Style, width: float) -> float:
    """Guess the height of a message that nobody has seen; there may be ten thousand of them.

    Args:
        message: It.
        style: Of the transcript.
        width: Of the viewport.
    """
    if message.role == "system" or width <= 0:
        return 0.0
    is_user = message.role == "user"
    width = min(style.column_width, width - 2 * style.margin)
    letters_per_line = max(10.0, width * (0.8 if is_user else 1.0) / (style.em * 0.5))
    n_lines = 1.0
    for part in message.parts:
        if part.kind == "text":
            n_lines += part.text.count("\n") * 0.8 + len(part.text) / letters_per_line
        elif part.kind in ("image", "file"):
            n_lines += 2
    return round(n_lines) * style.em * 1.53 + style.em * (4.5 if is_user else 6.0)
