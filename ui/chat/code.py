"""A code block: a row a line, so that only the rows in sight are ever laid out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen, QTextCharFormat, QTextLayout, QTextOption

from ui import theme
from ui.chat import highlight
from ui.chat.markdown import PieceSpec
from ui.chat.piece import Look, Piece, Selection
from ui.i18n import tr

_MAX_ROW_CHARACTERS = 2_000
_KEPT_LAYOUTS = 200
_LEX_WINDOW_LINES = 40
# Lexed at once when first shown; longer code is coloured a screenful at a time as it comes into sight.
_WHOLE_LIMIT = 6_000


class CodePiece(Piece):
    """Source code under a bar with its language and a Copy button; long lines scroll sideways."""

    def __init__(self, spec: PieceSpec, look: Look) -> None:
        super().__init__(spec, look)
        self._metrics = QFontMetricsF(look.style.code)
        self._row_height = round(self._metrics.height() * 1.28)
        self._pad = round(look.style.em * 0.85)
        self._bar_height = round(QFontMetricsF(look.style.small).height() * 1.9)
        self._rows: list[tuple[int, int]] = []
        self._starts: list[int] = []
        self._widest = 0.0
        self._widest_length = 0
        self._tokens: list[highlight.TokenRun] = []
        self._lexed_to = 0
        self._layouts: OrderedDict[int, QTextLayout] = OrderedDict()
        self._source = ""
        self.extend(spec)

    def extend(self, spec: PieceSpec) -> bool:
        """Take a grown source; False where it did not merely grow."""
        if not spec.text.startswith(self._source) or spec.language != self.spec.language:
            return False
        first = max(0, len(self._rows) - 1)
        begin = self._rows[first][0] if self._rows else 0
        self._source, self.spec = spec.text, spec
        self.length = len(spec.text)
        del self._rows[first:]
        self._add_rows(begin)
        self._starts = [start for start, _ in self._rows] if first == 0 else self._starts[:first]
        self._starts.extend(start for start, _ in self._rows[len(self._starts) :])
        for number in [number for number in self._layouts if number >= first]:
            del self._layouts[number]
        self._lexed_to = min(self._lexed_to, begin)
        self._lex_shown = False
        return True

    def _add_rows(self, begin: int) -> None:
        source = self._source
        while True:
            end = source.find("\n", begin)
            line_end = len(source) if end < 0 else end
            row = begin
            while line_end - row > _MAX_ROW_CHARACTERS:
                self._add_row(row, row + _MAX_ROW_CHARACTERS)
                row += _MAX_ROW_CHARACTERS
            self._add_row(row, line_end)
            if end < 0:
                return
            begin = end + 1

    def _add_row(self, start: int, end: int) -> None:
        self._rows.append((start, end))
        # Measuring is slow; no letter is wider than two columns.
        if (end - start) * 2 > self._widest_length:
            text = self._source[start:end]
            width = self._metrics.horizontalAdvance(text.expandtabs(4))
            if width > self._widest:
                self._widest = width
                self._widest_length = int(width / max(1.0, self._metrics.horizontalAdvance("0")))

    @property
    def natural_width(self) -> float:
        return self.indent + max(self._widest + 2 * self._pad, self.look.style.em * 16)

    @property
    def gap_above(self) -> float:
        return self.look.style.paragraph_gap

    def layout(self, width: float) -> float:
        self._area = width
        self.overflow = max(0.0, self._widest + 2 * self._pad - width)
        self.scroll_x = min(self.scroll_x, self.overflow)
        bottom = self._pad + (4 if self.overflow else 0)
        return self._bar_height + self._pad * 0.6 + len(self._rows) * self._row_height + bottom

    @property
    def _rows_top(self) -> float:
        return self._bar_height + self._pad * 0.6

    def copy_rect(self) -> QRectF | None:
        side = self._bar_height
        return QRectF(self.indent + self._area - side * 1.15, 0, side, side)

    def paint_content(self, painter: QPainter, clip: QRectF, selection: Selection) -> None:
        colors = self.look.style.colors
        box = QRectF(0.5, 0.5, self._area - 1, self.height - 1)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.border, 1))
        painter.setBrush(colors.code_background)
        painter.drawRoundedRect(box, theme.RADIUS, theme.RADIUS)
        painter.setFont(self.look.style.small)
        painter.setPen(colors.text_muted)
        bar = QRectF(self._pad, 1, self._area - 2 * self._pad, self._bar_height)
        painter.drawText(bar, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self._label())
        painter.setPen(theme.with_alpha(colors.border, 0.7))
        painter.drawLine(QPointF(1, self._bar_height + 0.5), QPointF(self._area - 1, self._bar_height + 0.5))
        painter.save()
        inside = QRectF(1, self._rows_top - 3, self._area - 2, self.height - self._rows_top)
        painter.setClipRect(inside, Qt.ClipOperation.IntersectClip)
        self._paint_rows(painter, clip, selection)
        painter.restore()
        if self.overflow:
            self._paint_scroll_bar(painter)

    def _paint_rows(self, painter: QPainter, clip: QRectF, selection: Selection) -> None:
        top = self._rows_top
        first = max(0, int((clip.top() - top) // self._row_height))
        last = min(len(self._rows), int((clip.bottom() - top) // self._row_height) + 1)
        self._lex(first, last)
        painter.setPen(self.look.color)
        x = self._pad - self.scroll_x
        for number in range(first, last):
            start, end = self._rows[number]
            layout = self._row_layout(number)
            y = top + number * self._row_height + (self._row_height - self._metrics.height()) / 2
            ranges: list[QTextLayout.FormatRange] = []
            if selection is not None and selection[0] <= end and selection[1] > start:
                ranges.append(self._selected(number, selection))
            layout.draw(painter, QPointF(x, y), ranges)
            if selection is not None and selection[0] <= end < selection[1]:
                # A selected line end shows as a little selected space.
                line_width = layout.lineAt(0).naturalTextWidth()
                color = theme.with_alpha(self.look.style.colors.accent, 0.28)
                painter.fillRect(QRectF(x + line_width, y, self._pad * 0.5, self._metrics.height()), color)

    def _selected(self, number: int, selection: tuple[int, int]) -> QTextLayout.FormatRange:
        start, end = self._rows[number]
        text = self._source[start:end]
        chosen = QTextLayout.FormatRange()
        first = _utf16(text, max(0, selection[0] - start))
        chosen.start = first
        chosen.length = _utf16(text, min(end, selection[1]) - start) - first
        chosen.format = QTextCharFormat()
        chosen.format.setBackground(theme.with_alpha(self.look.style.colors.accent, 0.28))
        return chosen

    def _row_layout(self, number: int) -> QTextLayout:
        layout = self._layouts.get(number)
        if layout is not None:
            self._layouts.move_to_end(number)
            return layout
        start, end = self._rows[number]
        text = self._source[start:end]
        layout = QTextLayout(text, self.look.style.code)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.NoWrap)
        option.setTabStopDistance(self._metrics.horizontalAdvance("    "))
        option.setTextDirection(Qt.LayoutDirection.LeftToRight)
        layout.setTextOption(option)
        layout.setFormats(self._formats(start, end, text))
        layout.beginLayout()
        layout.createLine()
        layout.endLayout()
        self._layouts[number] = layout
        if len(self._layouts) > _KEPT_LAYOUTS:
            self._layouts.popitem(last=False)
        return layout

    def _formats(self, start: int, end: int, text: str) -> list[QTextLayout.FormatRange]:
        result = []
        position = max(0, bisect_left(self._tokens, start, key=lambda run: run[0]) - 1)
        for begin, length, kind in self._tokens[position:]:
            if begin >= end:
                break
            first, last = max(begin, start), min(begin + length, end)
            if first < last:
                part = QTextLayout.FormatRange()
                part.start = _utf16(text, first - start)
                part.length = _utf16(text, last - start) - part.start
                part.format = highlight.char_format(kind, self.look.style.is_dark)
                result.append(part)
        return result

    def _lex(self, first_row: int, last_row: int) -> None:
        """Colour what is about to be seen, and no more of a long text than that."""
        if self._lex_shown and self._lexed_to >= self._rows[max(0, last_row - 1)][1]:
            return
        lexer, is_final = self.look.workshop.lexer(self.spec.language)
        if lexer is None:
            # Colours come with a later paint if the lexer is only being loaded.
            self._lex_shown = is_final
            self._lexed_to = len(self._source) + 1 if is_final else 0
            return
        if len(self._source) <= _WHOLE_LIMIT and not self.spec.is_open:
            self._tokens = highlight.tokens(self._source, lexer)
            self._lexed_to = len(self._source) + 1
        else:
            from_row = bisect_right(self._starts, self._lexed_to) - 1
            from_row = max(from_row, first_row - _LEX_WINDOW_LINES)
            lines = [self._source[a:b] for a, b in self._rows[max(0, from_row - 60) : from_row + 1]]
            base = max(0, from_row - 60)
            from_row = base + highlight.safe_line(lines, max(0, from_row - base), _LEX_WINDOW_LINES)
            begin, end = self._rows[from_row][0], self._rows[max(0, last_row - 1)][1]
            keep = bisect_left(self._tokens, begin, key=lambda run: run[0])
            self._tokens[keep:] = highlight.tokens(self._source[begin:end], lexer, begin)
            self._lexed_to = end
        self._layouts.clear()
        self._lex_shown = True

    def _label(self) -> str:
        """The language's proper name once its lexer is loaded, what was written behind the fence before."""
        name = self.spec.language
        lexer, _ = self.look.workshop.lexer(name)
        if lexer is not None:
            return str(lexer.name)
        return name[:40] if name else tr("Code")

    def _paint_scroll_bar(self, painter: QPainter) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.with_alpha(self.look.style.colors.text_muted, 0.45))
        rect = self.scroll_bar_rect()
        painter.drawRoundedRect(rect, 2, 2)

    def scroll_bar_rect(self) -> QRectF:
        """The thumb of the sideways scroll bar, without the indent."""
        track = self._area - 2 * self._pad
        length = max(24.0, track * track / (track + self.overflow))
        x = self._pad + (track - length) * (self.scroll_x / self.overflow if self.overflow else 0)
        return QRectF(x, self.height - 8, length, 4)

    def hit_content(self, point: QPointF) -> int:
        if not self._rows:
            return 0
        number = int((point.y() - self._rows_top) // self._row_height)
        if number < 0:
            return 0
        if number >= len(self._rows):
            return self.length
        start, end = self._rows[number]
        line = self._row_layout(number).lineAt(0)
        units = line.xToCursor(point.x() - self._pad + self.scroll_x)
        return start + _characters(self._source[start:end], units)

    def text(self, start: int, end: int) -> str:
        return self._source[start:end]

    def word_at(self, offset: int) -> tuple[int, int]:
        def is_word(position: int) -> bool:
            character = self._source[position : position + 1]
            return character == "_" or character.isalnum()

        start = end = min(offset, self.length)
        if not is_word(start) and is_word(start - 1):
            start = end = start - 1
        while start > 0 and is_word(start - 1):
            start -= 1
        while end < self.length and is_word(end):
            end += 1
        return (start, end) if end > start else (start, min(start + 1, self.length))


def _utf16(text: str, characters: int) -> int:
    """Qt's offset of a Python one."""
    part = text[:characters]
    return len(part) if part.isascii() else len(part.encode("utf-16-le", "surrogatepass")) // 2


def _characters(text: str, units: int) -> int:
    """Python's offset of a Qt one."""
    if text.isascii():
        return min(units, len(text))
    return len(text.encode("utf-16-le", "surrogatepass")[: units * 2].decode("utf-16-le", "ignore"))
