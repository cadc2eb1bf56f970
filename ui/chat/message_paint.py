"""Draws one message."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter

from ui import theme
from ui.chat import attachments, control, message_controls, message_words
from ui.chat.control import SIDE, ControlState
from ui.chat.message_item import ItemSpot, MessageItem
from ui.values import StreamUpdate

SelectedPart = tuple[ItemSpot | None, ItemSpot | None] | None
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def paint(
    item: MessageItem, painter: QPainter, clip: QRectF, state: ControlState, selection: SelectedPart
) -> None:
    """Draw what lies in `clip`, in the coordinates of the message."""
    rows, style, colors = item.rows, item.style, item.style.colors
    if item.height <= 0:
        return
    painter.setFont(style.small)
    if rows.header.height() > 0:
        painter.setPen(colors.text_muted)
        painter.drawText(rows.header, _LEFT, message_words.speaker(item.message))
    if rows.waiting.height() > 0 and item.live is not None:
        _paint_prefill(item, painter, item.live)
    if item.is_user and item.editor_height is None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.user_bubble)
        painter.drawRoundedRect(rows.bubble, 14, 14)
    for folded in (rows.reasoning, rows.tools):
        if folded.height() > 0:
            painter.fillRect(QRectF(rows.header.left() + 7, folded.top(), 2, folded.height()), colors.border)
    attachments.paint(painter, item.chips, item.message.id, item.workshop.thumbnails, style)
    if item.editor_height is None:
        _paint_sections(item, painter, clip, selection)
        _paint_footer(item, painter)
    for button in item.controls():
        if button.rect.top() <= clip.bottom() and button.rect.bottom() >= clip.top():
            control.paint(painter, button, state, style.small)


def _paint_sections(item: MessageItem, painter: QPainter, clip: QRectF, selection: SelectedPart) -> None:
    for section, column in enumerate(item.columns):
        rect = item.section_rect(section)
        if rect.height() <= 0 or not rect.intersects(clip.adjusted(-1, -1, 1, 1)):
            continue
        part = item.section_part(section, *selection) if selection is not None else None
        painter.save()
        painter.translate(rect.topLeft())
        column.paint(painter, clip.translated(-rect.topLeft()), part)
        painter.restore()


def _paint_prefill(item: MessageItem, painter: QPainter, live: StreamUpdate) -> None:
    rect, colors = item.rows.waiting, item.style.colors
    painter.setPen(colors.text_muted)
    painter.drawText(rect, _LEFT, message_words.prefill(live))
    if live.prefill_permille > 0:
        track = QRectF(rect.left(), rect.bottom() - 3, min(rect.width(), item.style.em * 16), 3)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.border)
        painter.drawRoundedRect(track, 1.5, 1.5)
        track.setWidth(track.width() * min(1.0, live.prefill_permille / 1000))
        painter.setBrush(colors.accent)
        painter.drawRoundedRect(track, 1.5, 1.5)


def _paint_footer(item: MessageItem, painter: QPainter) -> None:
    rows, style, colors = item.rows, item.style, item.style.colors
    painter.setFont(style.small)
    status, is_error = message_words.status(item.message)
    if status:
        painter.setPen(colors.error if is_error else colors.warning)
        painter.drawText(rows.status, Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignBottom, status)
    controls = (
        {} if item.is_streaming else {button.id: button for button in message_controls.footer_controls(item)}
    )
    if "previous" in controls:
        between = QRectF(controls["previous"].rect.right(), rows.footer.top(), 0, SIDE)
        between.setRight(controls["next"].rect.left())
        painter.setPen(colors.text_muted)
        painter.drawText(between, Qt.AlignmentFlag.AlignCenter, message_controls.version_label(item))
    if item.is_user:
        return
    if item.live is not None:
        facts = message_words.running_facts(item.live) if item.live.phase != "prefill" else ""
    else:
        facts = message_words.facts(item.message.generation)
    left = max((button.rect.right() + 10 for button in controls.values()), default=rows.footer.left())
    room = QRectF(left, rows.footer.top(), rows.footer.right() - left, SIDE)
    text = QFontMetricsF(style.small).elidedText(facts, Qt.TextElideMode.ElideRight, room.width())
    painter.setPen(theme.with_alpha(colors.text_muted, 0.85))
    painter.drawText(room, _LEFT, text)
