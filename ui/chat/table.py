"""A table: columns as wide as their words need, squeezed to fit, scrolled sideways at worst."""

from __future__ import annotations

from bisect import bisect_right

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QPainter

from ui import theme
from ui.chat.markdown import Align, PieceSpec
from ui.chat.piece import Look, Piece, Selection
from ui.chat.richtext import RichText

_ALIGNMENTS: dict[Align, Qt.AlignmentFlag] = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "center": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}


class TablePiece(Piece):
    """Cells are runs of text of their own; offsets run through all of them, one extra behind each."""

    def __init__(self, spec: PieceSpec, look: Look) -> None:
        super().__init__(spec, look)
        style = look.style
        self._pad_x, self._pad_y = round(style.em * 0.7), round(style.em * 0.42)
        heading = QFont(style.body)
        heading.setWeight(QFont.Weight.DemiBold)
        self._cells: list[list[RichText]] = []
        self._offsets: list[int] = []
        offset = 0
        for number, row in enumerate(spec.rows):
            cells = []
            for column, spans in enumerate(row):
                align = spec.aligns[column] if column < len(spec.aligns) else "left"
                cell = RichText(
                    spans,
                    style,
                    look.formulas,
                    font=heading if number == 0 else style.body,
                    color=look.color,
                    align=_ALIGNMENTS[align],
                )
                self.waits_for |= cell.waits_for
                self._offsets.append(offset)
                offset += cell.length + 1
                cells.append(cell)
            self._cells.append(cells)
        self.length = max(0, offset - 1)
        self._flat = [cell for row in self._cells for cell in row]
        self._naturals = self._natural_widths()
        self._smallest = self._smallest_widths()

    def _natural_widths(self) -> list[float]:
        widths = [0.0] * max((len(row) for row in self._cells), default=0)
        for row in self._cells:
            for column, cell in enumerate(row):
                cell.set_width(-1)
                widths[column] = max(widths[column], cell.ideal_width)
        return [width + 2 * self._pad_x + 1 for width in widths]

    def _smallest_widths(self) -> list[float]:
        """Where no word is torn apart, up to a dozen letters."""
        widths = [0.0] * len(self._naturals)
        limit = self.look.style.em * 9
        for row in self._cells:
            for column, cell in enumerate(row):
                widths[column] = max(widths[column], min(cell.longest_word + 2, limit))
        return [width + 2 * self._pad_x + 1 for width in widths]

    @property
    def natural_width(self) -> float:
        return self.indent + min(self.width, sum(self._naturals))

    @property
    def gap_above(self) -> float:
        return self.look.style.paragraph_gap

    def layout(self, width: float) -> float:
        self._area = width
        self._widths = _squeezed(self._naturals, width, self._smallest)
        self.overflow = max(0.0, sum(self._widths) - width)
        if self.overflow < 1:
            self.overflow = 0.0
        self.scroll_x = min(self.scroll_x, self.overflow)
        y = 0.0
        self._tops: list[float] = []
        self._drops: list[list[float]] = []
        for row in self._cells:
            self._tops.append(y)
            heights = [
                cell.set_width(self._widths[column] - 2 * self._pad_x) for column, cell in enumerate(row)
            ]
            # Cells of a row share a base line, whatever fonts they need.
            baseline = max((cell.first_baseline for cell in row), default=0.0)
            self._drops.append([baseline - cell.first_baseline for cell in row])
            tallest = max((h + drop for h, drop in zip(heights, self._drops[-1], strict=True)), default=0.0)
            y += round(tallest + 2 * self._pad_y)
        self._tops.append(y)
        return y + (9 if self.overflow else 0)

    def paint_content(self, painter: QPainter, clip: QRectF, selection: Selection) -> None:
        colors = self.look.style.colors
        painter.save()
        painter.setClipRect(QRectF(-1, 0, self._area + 2, self.height), Qt.ClipOperation.IntersectClip)
        right = min(self._area, sum(self._widths))
        number = 0
        for row, cells in enumerate(self._cells):
            top, bottom = self._tops[row], self._tops[row + 1]
            is_visible = bottom >= clip.top() and top <= clip.bottom()
            if row and is_visible:
                strength = 1.0 if row == 1 else 0.6
                line = theme.with_alpha(colors.text_muted if row == 1 else colors.border, strength)
                painter.fillRect(QRectF(0, top, right, 1), theme.with_alpha(line, 0.6 if row == 1 else 1.0))
            x = -self.scroll_x
            for column, cell in enumerate(cells):
                if is_visible:
                    part = _part(selection, self._offsets[number], cell.length)
                    drop = self._drops[row][column]
                    cell.paint(painter, QPointF(x + self._pad_x, top + self._pad_y + drop), part)
                x += self._widths[column]
                number += 1
        painter.fillRect(QRectF(0, self._tops[-1] - 1, right, 1), theme.with_alpha(colors.border, 0.9))
        painter.restore()
        if self.overflow:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.with_alpha(colors.text_muted, 0.45))
            painter.drawRoundedRect(self.scroll_bar_rect(), 2, 2)

    def scroll_bar_rect(self) -> QRectF:
        """The thumb of the sideways scroll bar, without the indent."""
        length = max(24.0, self._area * self._area / (self._area + self.overflow))
        x = (self._area - length) * (self.scroll_x / self.overflow if self.overflow else 0)
        return QRectF(x, self.height - 5, length, 4)

    def _cell_at(self, point: QPointF) -> tuple[int, QPointF]:
        """Number of the cell nearest to a point, and the point in it."""
        row = max(0, min(len(self._cells) - 1, bisect_right(self._tops, point.y()) - 1))
        x = -self.scroll_x
        column = 0
        while column < len(self._cells[row]) - 1 and point.x() >= x + self._widths[column]:
            x += self._widths[column]
            column += 1
        number = sum(len(cells) for cells in self._cells[:row]) + column
        return number, point - QPointF(x + self._pad_x, self._tops[row] + self._pad_y)

    def hit_content(self, point: QPointF) -> int:
        if not self._flat:
            return 0
        number, inside = self._cell_at(point)
        return self._offsets[number] + self._flat[number].hit(inside)

    def link_at(self, point: QPointF) -> str | None:
        if not self._flat:
            return None
        number, inside = self._cell_at(point - QPointF(self.indent, 0))
        return self._flat[number].link_at(inside)

    def text(self, start: int, end: int) -> str:
        """Cells with a tab between, rows on lines: what a spreadsheet takes."""
        rows = []
        number = 0
        for cells in self._cells:
            parts = []
            for cell in cells:
                part = _part((start, end), self._offsets[number], cell.length)
                if part is not None:
                    parts.append(cell.text(*part))
                number += 1
            if parts:
                rows.append("\t".join(parts))
        return "\n".join(rows)

    def word_at(self, offset: int) -> tuple[int, int]:
        if not self._flat:
            return 0, 0
        number = max(0, bisect_right(self._offsets, offset) - 1)
        base = self._offsets[number]
        start, end = self._flat[number].word_at(offset - base)
        return base + start, base + end


def _part(selection: Selection, offset: int, length: int) -> Selection:
    """What a selection of the whole table is in one cell; None for nothing."""
    if selection is None:
        return None
    start, end = max(0, selection[0] - offset), min(length, selection[1] - offset)
    return (start, end) if start < end or (selection[0] <= offset and selection[1] > offset) else None


def _squeezed(naturals: list[float], width: float, smallest: list[float]) -> list[float]:
    """Column widths that fit `width`, taken from the widest first; none narrower than its `smallest`."""
    if sum(naturals) <= width:
        return naturals

    def limited(limit: float) -> list[float]:
        return [min(natural, max(least, limit)) for natural, least in zip(naturals, smallest, strict=True)]

    low, high = 0.0, max(naturals)
    for _ in range(24):
        middle = (low + high) / 2
        if sum(limited(middle)) > width:
            high = middle
        else:
            low = middle
    return limited(low)
