"""Which buttons a message has, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF

from storage.records import Message
from ui.chat import attachments, message_words
from ui.chat.control import SIDE, Control
from ui.i18n import tr, trn

if TYPE_CHECKING:
    from ui.chat.message_item import MessageItem


def controls(item: MessageItem) -> list[Control]:
    """Its buttons, in the order of Tab."""
    rows = item.rows
    found: list[Control] = []
    if rows.thinking.height() > 0:
        label = message_words.thinking(item.message, item.live)
        icon = "chevron-down" if item.is_expanded else "chevron-right"
        found.append(Control("reasoning", rows.thinking, icon, label, label, is_expanded=item.is_expanded))
        if item.live is not None and item.live.phase == "reasoning":
            found.append(_conclude(item))
    if rows.tools_heading.height() > 0:
        label = attachments.tools_heading(item.message)
        icon = "chevron-down" if item.shows_tools else "chevron-right"
        found.append(Control("tools", rows.tools_heading, icon, label, label, is_expanded=item.shows_tools))
    for section, column in enumerate(item.columns):
        rect = item.section_rect(section)
        for block, inner, piece, top in column.pieces() if rect.height() > 0 else ():
            if (place := piece.copy_rect()) is not None:
                place = place.translated(rect.left(), rect.top() + top)
                found.append(Control(f"code:{section}:{block}:{inner}", place, "copy", tr("Copy code")))
    if rows.footer.height() > 0 and not item.is_streaming:
        found.extend(footer_controls(item))
    return found


def _conclude(item: MessageItem) -> Control:
    """Beside the running clock of the reasoning: ends it."""
    label = tr("Answer now")
    thinking = item.rows.thinking
    width = QFontMetricsF(item.style.small).horizontalAdvance(label) + 36
    left = min(thinking.right() + 8, item.rows.header.right() - width)
    rect = QRectF(left, thinking.top(), width, thinking.height())
    return Control("conclude", rect, "skip", tr("End the thinking and begin the answer"), label)


def footer_controls(item: MessageItem) -> list[Control]:
    """Versions and actions, below the text."""
    siblings = item.message.sibling_ids
    actions = [("copy", "copy", tr("Copy"))]
    pressed = {1: "good", -1: "bad"}.get(item.message.rating or 0, "")
    if item.is_user:
        actions.append(("edit", "pencil", tr("Edit")))
    elif item.message.role == "assistant":
        actions.append(("regenerate", "retry", tr("Regenerate")))
        if can_go_on(item.message):
            actions.append(("continue", "play", tr("Go on with this answer")))
        actions.append(("good", "thumb-up", tr("Good answer")))
        actions.append(("bad", "thumb-down", tr("Bad answer")))
        actions.append(("more", "more", tr("More")))
    footer = item.rows.footer
    versions_width = _versions_width(item) if len(siblings) > 1 else 0.0
    width = versions_width + SIDE * len(actions)
    x = footer.right() - width if item.is_user else footer.left() - 6
    result = []
    if len(siblings) > 1:
        index = siblings.index(item.message.id)
        left, right = (
            QRectF(x, footer.top(), 22, SIDE),
            QRectF(x + versions_width - 26, footer.top(), 22, SIDE),
        )
        result.append(Control("previous", left, "chevron-left", tr("Previous version"), is_enabled=index > 0))
        is_last = index == len(siblings) - 1
        result.append(Control("next", right, "chevron-right", tr("Next version"), is_enabled=not is_last))
        x += versions_width
    for name, icon, title in actions:
        rect = QRectF(x, footer.top(), SIDE, SIDE)
        result.append(Control(name, rect, icon, title, is_pressed=name == pressed))
        x += SIDE
    if item.sources:
        label = trn("{n} passage", "{n} passages", len(item.sources))
        width = SIDE + QFontMetricsF(item.style.small).horizontalAdvance(label) + 6
        place = QRectF(x, footer.top(), width, SIDE)
        result.append(Control("passages", place, "folder", tr("Passages of the answer"), label))
    return result


def can_go_on(message: Message) -> bool:
    """Whether an answer was cut off, so that there may be more of it."""
    reason = message.generation.stop_reason if message.generation else None
    was_cut = message.status == "interrupted" or reason in ("length", "cancelled", "context_full", "error")
    return was_cut and bool(message.text or message.reasoning)


def version_label(item: MessageItem) -> str:
    """Which of how many: 2/3."""
    siblings = item.message.sibling_ids
    return f"{siblings.index(item.message.id) + 1}/{len(siblings)}"


def _versions_width(item: MessageItem) -> float:
    return 22 + QFontMetricsF(item.style.small).horizontalAdvance(version_label(item)) + 30
