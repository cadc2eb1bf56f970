"""One message: its rows from the model's name down to the facts, as geometry and paint."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF

from storage.records import Message
from ui.chat import attachments, message_controls, message_words
from ui.chat.attachments import Chip
from ui.chat.cited import number_of
from ui.chat.column import Column, Spot, whole
from ui.chat.control import SIDE, Control
from ui.chat.message_rows import NOWHERE, Rows, estimated_height
from ui.chat.piece import Look, Piece
from ui.chat.style import Style
from ui.chat.workshop import Workshop
from ui.knowledge.values import CitedPassage
from ui.values import StreamUpdate

REASONING, TOOLS, ANSWER = SECTIONS = 0, 1, 2

ItemSpot = tuple[int, int, int, int]
"""A place in a message: section (one of SECTIONS), block, piece, offset."""


class MessageItem:
    """A message in the transcript; light until it comes into sight.

    Attributes:
        live: What is arriving; None once the message is finished.
        rows: Where things stand, in the item's coordinates.
        editor_height: Of the editor that stands where the text was; None while nothing is edited.
        sources: Passages that an answer was made from.
        columns: Of each section once the message was in sight; empty before.
        chips: Its images and files, likewise.
        shows_tools: What was asked of tools, and what came of it, is open.
    """

    def __init__(self, message: Message, style: Style, workshop: Workshop) -> None:
        self.message = message
        self.live: StreamUpdate | None = None
        self.editor_height: float | None = None
        self.sources: tuple[CitedPassage, ...] = ()
        self.columns: list[Column] = []
        self.chips: list[Chip] = []
        self.shows_tools = False
        self.height = 0.0
        self.style = style
        self.workshop = workshop
        self._width = 0.0
        self._wants_reasoning: bool | None = None
        self._follows_thinking = True
        self.rows = NOWHERE

    # What it shows

    @property
    def is_user(self) -> bool:
        """Whether it stands in a bubble on the right."""
        return self.message.role == "user"

    @property
    def is_streaming(self) -> bool:
        """Whether more of it may arrive."""
        return self.message.status == "streaming"

    @property
    def is_expanded(self) -> bool:
        """Whether the reasoning is shown: as the reader chose, else until the answer begins."""
        if self._wants_reasoning is not None:
            return self._wants_reasoning
        return self._follows_thinking and not self._text(ANSWER)

    def toggle_reasoning(self) -> None:
        """Open or close the reasoning, for good."""
        self._wants_reasoning = not self.is_expanded
        self._place()

    def set_sources(self, sources: tuple[CitedPassage, ...]) -> None:
        """The passages that it was made from have been found; their numbers become links."""
        self.sources = sources
        for column in self.columns:
            column.set_cites(self._cites)
        self._place()

    @property
    def _cites(self) -> frozenset[int]:
        return frozenset(source.number for source in self.sources)

    def words_of(self, href: str) -> str:
        """What a link in it leads to, for people."""
        number = number_of(href)
        return next((source.place for source in self.sources if source.number == number), href)

    def toggle_tools(self) -> None:
        """Open or close the uses of tools."""
        self.shows_tools = not self.shows_tools
        self._place()

    def set_editor_height(self, height: float | None) -> None:
        """Make room for the editor in place of the text, or with None show the text again."""
        self.editor_height = height
        self._place()

    def _text(self, section: int) -> str:
        if section == TOOLS:
            return attachments.tools_text(self.message)
        if self.live is not None:
            return self.live.text if section == ANSWER else self.live.reasoning
        return self.message.text if section == ANSWER else self.message.reasoning

    def accessible_text(self) -> str:
        """Everything it says, for a screen reader."""
        status, _ = message_words.status(self.message)
        beside = ", ".join(part.name for part in self.message.attached)
        said = self._text(ANSWER) or self._text(REASONING)
        parts = (message_words.speaker(self.message), beside, said, status)
        return "\n".join(part for part in parts if part)

    def take(self, message: Message) -> None:
        """Another state of the same message."""
        self.message = message
        if message.status != "streaming":
            self.live = None
        self._take_texts()

    def apply(self, update: StreamUpdate) -> None:
        """More has arrived."""
        self.live = update
        self._take_texts()

    def is_behind(self) -> bool:
        """Whether an expensive block waits to be drawn again."""
        return any(column.is_behind for column in self.columns)

    def _take_texts(self) -> None:
        for section, column in enumerate(self.columns):
            column.set_text(self._text(section), is_final=not self.is_streaming)
        self._place()

    # Geometry

    def set_width(self, width: float) -> None:
        """Lay out for a width of the viewport."""
        if width != self._width:
            self._width = width
            if self.columns:
                self._place()
            else:
                self._guess_height()

    def set_style(self, style: Style) -> None:
        """Take other fonts or colours."""
        self.style = style
        for section, column in enumerate(self.columns):
            column.set_look(self._look(section))
        self._place()

    def show_range(self, top: float, bottom: float) -> bool:
        """Lay out what stands between two heights of it; True if its height changed."""
        before = self.height
        if not self.columns:
            self.columns = [Column(self._look(section), is_plain=self.is_user) for section in SECTIONS]
            for column in self.columns:
                column.set_cites(self._cites)
            self._take_texts()
        for section, column in enumerate(self.columns):
            rect = self.section_rect(section)
            if rect.height() > 0:
                column.show_range(top - rect.top(), bottom - rect.top())
            else:
                column.release()
        self._place()
        return self.height != before

    def release(self) -> None:
        """It is out of sight: forget what was laid out, keep the heights."""
        for column in self.columns:
            column.release()

    def refresh_formulas(self, announced: set[str]) -> bool:
        """Draw again what waited for these formulas."""
        changed = [column.refresh_formulas(announced) for column in self.columns]
        if any(changed):
            self._place()
        return any(changed)

    def _look(self, section: int) -> Look:
        colors = self.style.colors
        if section == ANSWER:
            return Look(self.style, self.workshop, colors.text)
        return Look(self.style.quieter(), self.workshop, colors.text_muted)

    def _frame(self) -> QRectF:
        """The readable column in the middle of the viewport."""
        width = min(self.style.column_width, self._width - 2 * self.style.margin)
        width = max(80.0, width)
        return QRectF(round((self._width - width) / 2), 0, width, 0)

    def _guess_height(self) -> None:
        self.height = estimated_height(self.message, self.style, self._width)

    def _place(self) -> None:
        if not self.columns:
            self._guess_height()
            return
        if self.message.role == "system" or self._width <= 0:
            self.height = 0.0
            return
        style, frame, small = self.style, self._frame(), QFontMetricsF(self.style.small)
        rows = Rows(*(QRectF(frame) for _ in range(10)))
        y = 0.0
        if not self.is_user:
            rows.header.setRect(frame.left(), 0, frame.width(), round(small.height() * 1.5))
            y = rows.header.bottom() + 4
            y = self._place_reasoning(rows, y)
            y = self._place_tools(rows, y)
            if self.live is not None and self.live.phase == "prefill":
                rows.waiting.setRect(frame.left(), y, frame.width(), round(style.em * 2))
                y = rows.waiting.bottom()
        y = self._place_answer(rows, self._place_chips(frame, y))
        if self.editor_height is None:
            status, _ = message_words.status(self.message)
            if status:
                lines = small.boundingRect(
                    QRectF(0, 0, frame.width(), 10_000), Qt.TextFlag.TextWordWrap, status
                ).height()
                rows.status.setRect(frame.left(), y + style.tight_gap, frame.width(), lines + 4)
                y = rows.status.bottom()
            rows.footer.setRect(frame.left(), y + 4, frame.width(), SIDE)
            y = rows.footer.bottom()
        self.rows = rows
        self.height = y + style.item_gap * (0.75 if self.is_user else 1.0)

    def _place_reasoning(self, rows: Rows, y: float) -> float:
        if not self._text(REASONING):
            return y
        style = self.style
        height = round(QFontMetricsF(style.small).height() * 1.9)
        label = message_words.thinking(self.message, self.live)
        width = QFontMetricsF(style.small).horizontalAdvance(label) + 40
        rows.thinking.setRect(rows.header.left() - 6, y, min(width, rows.header.width()), height)
        y += height
        if self.is_expanded:
            indent = round(style.em * 1.15)
            width = rows.header.width() - indent
            y += 4
            rows.reasoning.setRect(
                rows.header.left() + indent, y, width, self._section_height(REASONING, width)
            )
            y = rows.reasoning.bottom() + style.paragraph_gap
        return y + style.tight_gap

    def _place_tools(self, rows: Rows, y: float) -> float:
        if not self._text(TOOLS):
            return y
        style, metrics = self.style, QFontMetricsF(self.style.small)
        width = metrics.horizontalAdvance(attachments.tools_heading(self.message)) + 40
        left = rows.header.left()
        rows.tools_heading.setRect(
            left - 6, y, min(width, rows.header.width()), round(metrics.height() * 1.9)
        )
        y = rows.tools_heading.bottom()
        if self.shows_tools:
            indent = round(style.em * 1.15)
            width = rows.header.width() - indent
            rows.tools.setRect(left + indent, y + 4, width, self._section_height(TOOLS, width))
            y = rows.tools.bottom() + style.paragraph_gap
        return y + style.tight_gap

    def _place_chips(self, frame: QRectF, y: float) -> float:
        room = QRectF(frame.left(), y, frame.width(), 0)
        self.chips = attachments.chips(self.message, self.workshop.thumbnails, self.style, room)
        return max((chip.rect.bottom() + self.style.tight_gap for chip in self.chips), default=y)

    def _place_answer(self, rows: Rows, y: float) -> float:
        frame, style = self._frame(), self.style
        if not self.is_user:
            rows.answer.setRect(frame.left(), y, frame.width(), self._section_height(ANSWER, frame.width()))
            return rows.answer.bottom()
        if self.editor_height is not None:
            rows.bubble.setRect(frame.left(), y, frame.width(), self.editor_height)
            return rows.bubble.bottom()
        pad_x, pad_y = round(style.em * 1.0), round(style.em * 0.65)
        width = round(frame.width() * (0.82 if frame.width() > style.em * 30 else 0.92)) - 2 * pad_x
        height = self._section_height(ANSWER, width)
        width = min(width, int(self.columns[ANSWER].natural_width) + 2)
        self.columns[ANSWER].fit(width)
        left = frame.right() - width - 2 * pad_x
        rows.bubble.setRect(left, y, width + 2 * pad_x, height + 2 * pad_y)
        # A line carries its gap below it: half of that moves the text to the optical middle.
        rows.answer.setRect(left + pad_x, y + pad_y + round(style.line_gap / 2), width, height)
        return rows.bubble.bottom()

    def _section_height(self, section: int, width: float) -> float:
        column = self.columns[section]
        column.set_width(width)
        return column.height

    def section_rect(self, section: int) -> QRectF:
        """Where a section stands; no height where it is not shown."""
        return (self.rows.reasoning, self.rows.tools, self.rows.answer)[section]

    @property
    def editor_rect(self) -> QRectF:
        """Where the editor stands while the message is edited."""
        return self.rows.bubble

    def mark(self, y: float) -> tuple[int, int, float]:
        """What stands at a height, for coming back to it: section, block, and the distance below that."""
        for section in reversed(SECTIONS):
            rect = self.section_rect(section)
            if self.columns and rect.height() > 0 and y >= rect.top():
                block = self.columns[section].block_at(y - rect.top())
                return section, block, y - rect.top() - self.columns[section].top_of(block)
        return -1, 0, y

    def height_of(self, section: int, block: int) -> float:
        """Where what `mark` gave stands now."""
        if section < 0 or not self.columns:
            return 0.0
        rect = self.section_rect(section)
        return rect.top() + (self.columns[section].top_of(block) if rect.height() > 0 else 0.0)

    # Pointer

    def controls(self) -> list[Control]:
        """Its buttons, in the order of Tab."""
        return message_controls.controls(self)

    def version_id(self, step: int) -> int | None:
        """Id of the version before (-1) or after (1) this one."""
        siblings = self.message.sibling_ids
        index = siblings.index(self.message.id) + step if self.message.id in siblings else -1
        return siblings[index] if 0 <= index < len(siblings) else None

    def piece_at(self, point: QPointF, *, exact: bool = False) -> tuple[int, int, int, Piece, QPointF] | None:
        """The piece nearest to a point: section, block, number, piece, point in it.

        With `exact` only a piece that the point lies on.
        """
        best: tuple[float, int] | None = None
        for section in range(len(self.columns)):
            rect = self.section_rect(section)
            if rect.height() <= 0:
                continue
            distance = max(rect.top() - point.y(), point.y() - rect.bottom(), 0.0)
            if best is None or distance < best[0]:
                best = (distance, section)
        if best is None or (exact and best[0] > 0):
            return None
        section = best[1]
        found = self.columns[section].piece_at(point - self.section_rect(section).topLeft())
        if found is None:
            return None
        block, inner, piece, inside = found
        if exact and not QRectF(0, 0, piece.width, piece.height).contains(inside):
            return None
        return section, block, inner, piece, inside

    def copy(self, start: ItemSpot | None, end: ItemSpot | None) -> str:
        """What is selected of it; None stands for its beginning or its end."""
        parts = []
        is_open = (bool(self._text(REASONING)) and self.is_expanded, self.shows_tools, True)
        for section in SECTIONS:
            if not is_open[section]:
                continue
            if not self.columns:
                parts.append(self._text(section).strip())
                continue
            spots = self.section_part(section, start, end)
            if spots is not None:
                parts.append(self.columns[section].copy(*spots))
        return "\n\n".join(part for part in parts if part)

    def section_part(
        self, section: int, start: ItemSpot | None, end: ItemSpot | None
    ) -> tuple[Spot, Spot] | None:
        """What of a selection of the message lies in one section."""
        first, last = whole(self.columns[section])
        if start is not None:
            if start[0] > section:
                return None
            first = start[1:] if start[0] == section else first
        if end is not None:
            if end[0] < section:
                return None
            last = end[1:] if end[0] == section else last
        return first, last
