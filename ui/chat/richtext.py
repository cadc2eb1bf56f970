"""One run of styled text, laid out by a QTextDocument, with formulas standing on its base line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QPainter,
    QPalette,
    QPyTextObject,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextOption,
)

from ui import theme
from ui.chat.markdown import Span

if TYPE_CHECKING:
    from ui.chat.maths import Formulas
    from ui.chat.style import Style

_FORMULA_OBJECT = QTextFormat.ObjectTypes.UserObject + 1
_LATEX = QTextFormat.Property.UserProperty + 1
_ASCENT = QTextFormat.Property.UserProperty + 2
_SIZE = QTextFormat.Property.UserProperty + 3
_OBJECT_CHARACTER = "\ufffc"


class _FormulaObject(QPyTextObject):
    """Tells the layout how much room a formula needs, and draws it."""

    def __init__(self, formulas: Formulas) -> None:
        super().__init__()
        self._formulas = formulas

    def intrinsicSize(self, _document: QTextDocument, _position: int, format_: QTextFormat) -> QSizeF:
        size = format_.property(_SIZE)
        return size if isinstance(size, QSizeF) else QSizeF(1, 1)

    def drawObject(
        self,
        painter: QPainter,
        rect: QRectF | QRect,
        _document: QTextDocument,
        _position: int,
        format_: QTextFormat,
    ) -> None:
        char_format = format_.toCharFormat()
        baseline = rect.top() + float(char_format.property(_ASCENT))
        px = _pixel_size(char_format.font())
        key = (str(char_format.property(_LATEX)), False)
        self._formulas.paint(
            painter, key, QPointF(rect.left(), baseline), px, char_format.foreground().color()
        )


class RichText:
    """Styled text at a width. Offsets are UTF-16 units of the document, as Qt counts.

    Attributes:
        waits_for: LaTeX of formulas that are still being set; build anew when one is announced.
    """

    def __init__(
        self,
        spans: Sequence[Span],
        style: Style,
        formulas: Formulas,
        *,
        font: QFont | None = None,
        color: QColor | None = None,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    ) -> None:
        self.waits_for: set[str] = set()
        self._style = style
        self._links: list[tuple[int, int, str]] = []
        self._code: list[tuple[int, int]] = []
        self._latex: list[tuple[int, str]] = []
        self._font = font or style.body
        self._color = color or style.colors.text
        self._document = QTextDocument()
        self._document.setUndoRedoEnabled(False)
        self._document.setDocumentMargin(0)
        self._document.setDefaultFont(self._font)
        option = QTextOption(
            align | Qt.AlignmentFlag.AlignAbsolute if align != Qt.AlignmentFlag.AlignLeft else align
        )
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self._document.setDefaultTextOption(option)
        self._fill(spans, formulas)
        self.length = self._document.characterCount() - 1

    @property
    def ideal_width(self) -> float:
        """Width at which nothing wraps, or that of the widest line after `set_width`."""
        return self._document.idealWidth()

    def set_width(self, width: float) -> float:
        """Lay out; returns the height."""
        self._document.setTextWidth(width)
        return float(self._document.size().height())

    def paint(self, painter: QPainter, at: QPointF, selection: tuple[int, int] | None) -> None:
        """Draw with the upper left corner at `at`."""
        painter.save()
        painter.translate(at)
        self._paint_code_backgrounds(painter)
        context = QAbstractTextDocumentLayout.PaintContext()
        context.palette.setColor(QPalette.ColorRole.Text, self._color)
        if selection is not None and selection[0] < selection[1]:
            selected = QAbstractTextDocumentLayout.Selection()
            cursor = self._cursor(*selection)
            selected.cursor = cursor
            char_format = QTextCharFormat()
            char_format.setBackground(theme.with_alpha(self._style.colors.accent, 0.28))
            selected.format = char_format
            context.selections = [selected]
        self._document.documentLayout().draw(painter, context)
        painter.restore()

    @property
    def first_baseline(self) -> float:
        """Base line of the first line, from the top; other fonts stand in for letters that ours lacks."""
        line = self._document.firstBlock().layout().lineAt(0)
        return line.y() + line.ascent() if line.isValid() else QFontMetricsF(self._font).ascent()

    @property
    def longest_word(self) -> float:
        """Width below which words are torn apart."""
        metrics = QFontMetricsF(self._font)
        words = self._document.toRawText().split()
        return max((metrics.horizontalAdvance(word) for word in words[:200]), default=0.0)

    def hit(self, point: QPointF) -> int:
        """The offset nearest to a point."""
        position = self._document.documentLayout().hitTest(point, Qt.HitTestAccuracy.FuzzyHit)
        return max(0, min(position, self.length))

    def link_at(self, point: QPointF) -> str | None:
        """Target of the link under a point."""
        if not self._links:
            return None
        position = self._document.documentLayout().hitTest(point, Qt.HitTestAccuracy.ExactHit)
        for start, end, href in self._links:
            if start <= position < end:
                return href
        return None

    def text(self, start: int, end: int) -> str:
        """What is written there; formulas as `$...$`."""
        plain = self._cursor(start, end).selectedText().replace("\u2028", "\n").replace("\u2029", "\n")
        for position, latex in self._latex:
            if start <= position < end:
                plain = plain.replace(_OBJECT_CHARACTER, f"${latex}$", 1)
        return plain

    def word_at(self, offset: int) -> tuple[int, int]:
        """The word around an offset."""
        cursor = QTextCursor(self._document)
        cursor.setPosition(min(offset, self.length))
        cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        return cursor.selectionStart(), cursor.selectionEnd()

    def caret(self, offset: int) -> QRectF:
        """Where a cursor before `offset` would stand."""
        layout = self._document.firstBlock().layout()
        line = layout.lineForTextPosition(min(offset, self.length))
        if not line.isValid():
            return QRectF(0, 0, 1, QFontMetricsF(self._font).height())
        return QRectF(_x(line.cursorToX(offset)), line.y(), 1, line.height())

    def _cursor(self, start: int, end: int) -> QTextCursor:
        cursor = QTextCursor(self._document)
        cursor.setPosition(max(0, min(start, self.length)))
        cursor.setPosition(max(0, min(end, self.length)), QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _fill(self, spans: Sequence[Span], formulas: Formulas) -> None:
        cursor = QTextCursor(self._document)
        cursor.beginEditBlock()
        block = QTextBlockFormat()
        block.setLineHeight(self._style.line_gap, QTextBlockFormat.LineHeightTypes.LineDistanceHeight.value)
        cursor.setBlockFormat(block)
        for span in spans:
            start = cursor.position()
            if span.maths:
                self._insert_formula(cursor, span, formulas)
            else:
                # A paragraph separator of the source would start a new block of the document.
                text = span.text.replace("\u2029", "\n").replace("\r", "").replace("\n", "\u2028")
                cursor.insertText(text.replace("\0", "\ufffd"), self._format(span))
            if span.code:
                self._code.append((start, cursor.position()))
            if span.href:
                self._links.append((start, cursor.position(), span.href))
        cursor.endEditBlock()

    def _format(self, span: Span) -> QTextCharFormat:
        char_format = QTextCharFormat()
        font = QFont(self._font)
        if span.code:
            font = QFont(self._style.code)
            font.setPointSizeF(self._font.pointSizeF() * 0.92)
        if span.bold:
            font.setWeight(QFont.Weight.Bold)
        font.setItalic(font.italic() or span.italic)
        font.setStrikeOut(span.strike)
        char_format.setFont(font)
        char_format.setForeground(self._style.colors.accent if span.href else self._color)
        if span.href:
            char_format.setFontUnderline(True)
            char_format.setUnderlineColor(theme.with_alpha(self._style.colors.accent, 0.45))
            char_format.setToolTip(span.href)
        return char_format

    def _insert_formula(self, cursor: QTextCursor, span: Span, formulas: Formulas) -> None:
        char_format = self._format(Span("", bold=span.bold))
        formula = formulas.find(span.text, is_display=False)
        if formula is None:
            if formulas.is_waiting(span.text, is_display=False):
                self.waits_for.add(span.text)
            char_format.setForeground(self._style.colors.text_muted)
            cursor.insertText(f"${span.text}$".replace("\n", " "), char_format)
            return
        px = _pixel_size(self._font)
        ascent, descent = formula.ascent_em * px, formula.descent_em * px
        # AlignMiddle gives an object of height H the ascent (H + x) / 2 and the descent (H - x) / 2, x being
        # the font's x-height (QTextDocumentLayout::resizeInlineObject); so this H puts its base line on ours.
        x_height = QFontMetricsF(self._font).xHeight()
        height = max(2 * ascent - x_height, 2 * descent + x_height)
        char_format.setObjectType(_FORMULA_OBJECT)
        char_format.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignMiddle)
        char_format.setProperty(_LATEX, span.text)
        char_format.setProperty(_ASCENT, (height + x_height) / 2)
        char_format.setProperty(_SIZE, QSizeF(formula.width_em * px, height))
        if not self._latex:
            # The layout keeps no reference to its handlers.
            self._object = _FormulaObject(formulas)
            self._document.documentLayout().registerHandler(_FORMULA_OBJECT, self._object)
        self._latex.append((cursor.position(), span.text))
        cursor.insertText(_OBJECT_CHARACTER, char_format)

    def _paint_code_backgrounds(self, painter: QPainter) -> None:
        if not self._code:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.with_alpha(self._style.colors.text, 0.085))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        layout = self._document.firstBlock().layout()
        height = QFontMetricsF(self._style.code).height()
        for start, end in self._code:
            for number in range(layout.lineCount()):
                line = layout.lineAt(number)
                first = max(start, line.textStart())
                last = min(end, line.textStart() + line.textLength())
                if first >= last:
                    continue
                x1, x2 = _x(line.cursorToX(first)), _x(line.cursorToX(last))
                top = line.y() + line.ascent() - height * 0.80
                rect = QRectF(min(x1, x2) - 2.5, top, abs(x2 - x1) + 5, height * 1.06)
                painter.drawRoundedRect(rect, 3.5, 3.5)


def _x(result: object) -> float:
    """PySide returns the cursor's x alone or with its position; the stub says `object`."""
    return float(result[0] if isinstance(result, tuple) else result)  # type: ignore[arg-type]  # see above


def _pixel_size(font: QFont) -> float:
    return float(QFontInfo(font).pixelSize())
