"""The images and files of a message as small pictures and chips, and the tools that it used as text."""

from __future__ import annotations

import json
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPainterPath

from storage.records import Message, Part
from ui import icons
from ui.chat.style import Style
from ui.chat.thumbnails import Thumbnails
from ui.i18n import tr

_GAP = 8.0
_PADDING = 10.0
_RADIUS = 8.0


@dataclass(frozen=True, slots=True)
class Chip:
    """One image or file.

    Attributes:
        number: Among what came with the message.
        rect: In the message's coordinates.
    """

    part: Part
    number: int
    rect: QRectF


def chips(message: Message, thumbnails: Thumbnails, style: Style, room: QRectF) -> list[Chip]:
    """Where they stand: line by line from the top of `room`; those of a question at its right."""
    sizes = [
        _size(message, number, thumbnails, style, room.width()) for number in range(len(message.attached))
    ]
    found: list[Chip] = []
    y = room.top()
    first = 0
    while first < len(sizes):
        last, width = first, 0.0
        while last < len(sizes) and (last == first or width + _GAP + sizes[last].width() <= room.width()):
            width += sizes[last].width() + (_GAP if last > first else 0.0)
            last += 1
        x = room.right() - width if message.role == "user" else room.left()
        height = max(size.height() for size in sizes[first:last])
        for number in range(first, last):
            size = sizes[number]
            rect = QRectF(x, y + height - size.height(), size.width(), size.height())
            found.append(Chip(message.attached[number], number, rect))
            x += size.width() + _GAP
        y += height + _GAP
        first = last
    return found


def paint(
    painter: QPainter, shown: list[Chip], message_id: int, thumbnails: Thumbnails, style: Style
) -> None:
    """Draw them."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    for chip in shown:
        outline = QPainterPath()
        outline.addRoundedRect(chip.rect.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS, _RADIUS)
        image = thumbnails.image(message_id, chip.number) if chip.part.kind == "image" else None
        if image is not None:
            painter.save()
            painter.setClipPath(outline)
            painter.drawImage(chip.rect, image)
            painter.restore()
        else:
            _paint_name(painter, chip, style)
        painter.setPen(style.colors.border)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(outline)


def tools_heading(message: Message) -> str:
    """Which tools an answer used, in the order of their first use."""
    parts = [part for part in message.parts if part.kind in ("tool_call", "tool_result")]
    names = dict.fromkeys(part.name for part in parts if part.name)
    return tr("Tools used: {names}", names=", ".join(names)) if names else tr("Tools used")


def tools_text(message: Message) -> str:
    """The uses of tools as Markdown; empty where there are none."""
    blocks = []
    for part in message.parts:
        if part.kind == "tool_call":
            name = part.name.replace("`", "'")
            blocks += [f"`{name}`", _fenced(*_indented(part.text))]
        elif part.kind == "tool_result":
            blocks += [tr("Result:"), _fenced(part.text or tr("nothing"))]
    return "\n\n".join(blocks)


def _size(message: Message, number: int, thumbnails: Thumbnails, style: Style, width: float) -> QSizeF:
    part = message.attached[number]
    image = thumbnails.image(message.id, number) if part.kind == "image" else None
    if image is not None:
        size = QSizeF(image.size()).scaled(width, style.em * 9, Qt.AspectRatioMode.KeepAspectRatio)
        return size.boundedTo(QSizeF(image.size())).expandedTo(QSizeF(style.em * 2, style.em * 2))
    metrics = QFontMetricsF(style.small)
    natural = metrics.horizontalAdvance(part.name) + metrics.height() + 2 * _PADDING + 8
    return QSizeF(min(natural, style.em * 20, width), round(metrics.height() * 2))


def _paint_name(painter: QPainter, chip: Chip, style: Style) -> None:
    metrics = QFontMetricsF(style.small)
    inside = chip.rect.adjusted(_PADDING, 0, -_PADDING, 0)
    icon = QRectF(inside.left(), 0, metrics.height(), metrics.height())
    icon.moveCenter(QRectF(icon.left(), inside.top(), icon.width(), inside.height()).center())
    icons.paint(painter, "file", icon, style.colors.text_muted)
    inside.setLeft(icon.right() + 6)
    painter.setFont(style.small)
    painter.setPen(style.colors.text)
    name = metrics.elidedText(chip.part.name, Qt.TextElideMode.ElideMiddle, inside.width())
    painter.drawText(inside, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)


def _indented(arguments: str) -> tuple[str, str]:
    """Arguments to be read, and their language; some programs keep code there."""
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False, indent=2), "json"
    except (ValueError, RecursionError):
        return arguments, ""


def _fenced(text: str, language: str = "") -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
