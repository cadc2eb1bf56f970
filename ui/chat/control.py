"""Painted buttons of a message: real widgets for thousands of them would cost more than the text."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen

from ui import icons, theme

SIDE = 28.0


@dataclass(frozen=True, slots=True)
class Control:
    """One button.

    Attributes:
        id: Unique in its message: "copy", "edit", "regenerate", "previous", "next", "reasoning", "tools",
            "conclude", "continue", "good", "bad", "more", "passages" or
            "code:SECTION:BLOCK:PIECE".
        rect: In the coordinates of the message.
        icon: A file of `ui/icons`.
        name: Tool tip and accessible name.
        label: Text beside the icon; empty for none.
        is_expanded: For a disclosure; None for a plain button.
        is_pressed: It holds what was chosen with it, and takes that back.
    """

    id: str
    rect: QRectF
    icon: str
    name: str
    label: str = ""
    is_enabled: bool = True
    is_expanded: bool | None = None
    is_pressed: bool = False


@dataclass(frozen=True, slots=True)
class ControlState:
    """What the pointer and the keyboard do to the controls of one message.

    Attributes:
        hovered: Id of the control under the pointer; likewise `pressed`, `focused` and `copied` (just used).
        is_near: The pointer is over the message: its controls stand out.
    """

    hovered: str = ""
    pressed: str = ""
    focused: str = ""
    copied: str = ""
    is_near: bool = False


def paint(painter: QPainter, control: Control, state: ControlState, font: QFont) -> None:
    """Draw one button in the present theme."""
    colors = theme.colors()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    is_hot = control.id in (state.hovered, state.pressed) and control.is_enabled
    if is_hot:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.with_alpha(colors.text, 0.13 if control.id == state.pressed else 0.07))
        painter.drawRoundedRect(control.rect, 6, 6)
    if control.id == state.focused:
        painter.setPen(QPen(colors.accent, 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(control.rect.adjusted(1, 1, -1, -1), 6, 6)
    is_done = control.id == state.copied
    color = QColor(colors.success if is_done else colors.text if is_hot else colors.text_muted)
    if control.is_pressed:
        color = QColor(colors.accent)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.with_alpha(colors.accent, 0.14))
        painter.drawRoundedRect(control.rect.adjusted(1, 1, -1, -1), 6, 6)
    if not control.is_enabled:
        color.setAlphaF(0.35)
    elif not (is_hot or is_done or state.is_near or control.label or control.is_pressed):
        color.setAlphaF(0.7)
    rect = QRectF(control.rect)
    if control.label:
        rect.setWidth(min(rect.height(), 22))
    icon = QRectF(0, 0, 16, 16)
    icon.moveCenter(rect.center())
    icons.paint(painter, "check" if is_done else control.icon, icon, color)
    if control.label:
        painter.setFont(font)
        painter.setPen(color)
        text = QRectF(control.rect).adjusted(rect.width() + 2, 0, 0, 0)
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, control.label)
