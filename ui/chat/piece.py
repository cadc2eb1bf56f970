"""What a block is made of: things with a width, a height and selectable text."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from ui import theme
from ui.chat.markdown import PieceSpec, Span
from ui.chat.maths import Formulas
from ui.chat.richtext import RichText
from ui.chat.style import Style
from ui.chat.workshop import Workshop

Selection = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Look:
    """What all pieces of one column share.

    Attributes:
        color: Of the text; muted for reasoning.
    """

    style: Style
    workshop: Workshop
    color: QColor

    @property
    def formulas(self) -> Formulas:
        """All formulas of the transcript."""
        return self.workshop.formulas


class Piece:
    """Base of all pieces. Coordinates are its own: (0, 0) is its upper left corner.

    Attributes:
        spec: What it shows.
        length: Selectable offsets run from 0 to here.
        indent: Of containers it stands in; its own area begins behind it.
        waits_for: LaTeX of formulas that are still being set.
        scroll_x: How far its content is moved to the left.
        overflow: How far it can be moved.
    """

    def __init__(self, spec: PieceSpec, look: Look) -> None:
        self.spec = spec
        self.look = look
        self.length = 0
        self.width = 0.0
        self.height = 0.0
        self.scroll_x = 0.0
        self.overflow = 0.0
        self.waits_for: set[str] = set()
        self._bridge = (0, 0.0)
        style = look.style
        self.indent = sum(
            style.list_indent if container == "list" else style.quote_indent for container in spec.containers
        )

    def set_width(self, width: float) -> None:
        """Lay out for the width of the whole column; sets `height`."""
        self.width = width
        self.height = self.layout(max(40.0, width - self.indent))

    def layout(self, width: float) -> float:
        """Lay out for the width behind the indent; returns the height."""
        raise NotImplementedError

    @property
    def natural_width(self) -> float:
        """The width it uses, with its indent."""
        return self.width

    @property
    def first_baseline(self) -> float:
        """Where the marker of a list item stands on."""
        return QFontMetricsF(self.look.style.body).ascent()

    @property
    def gap_above(self) -> float:
        """Space to what stands above it in the same block."""
        style = self.look.style
        return style.tight_gap if self.spec.is_tight else style.paragraph_gap

    def paint(self, painter: QPainter, clip: QRectF, selection: Selection) -> None:
        """Draw what lies in `clip`."""
        self._paint_containers(painter)
        painter.save()
        painter.translate(self.indent, 0)
        self.paint_content(painter, clip.translated(-self.indent, 0), selection)
        painter.restore()

    def paint_content(self, painter: QPainter, clip: QRectF, selection: Selection) -> None:
        """Draw without the indent."""
        raise NotImplementedError

    def hit(self, point: QPointF) -> int:
        """The offset nearest to a point."""
        return self.hit_content(point - QPointF(self.indent, 0))

    def hit_content(self, point: QPointF) -> int:
        """Likewise, without the indent."""
        return 0 if point.y() < self.height / 2 else self.length

    def link_at(self, _point: QPointF) -> str | None:
        """Target of the link under a point, in the piece's coordinates."""
        return None

    def text(self, start: int, end: int) -> str:
        """What is written between two offsets."""
        raise NotImplementedError

    def word_at(self, _offset: int) -> tuple[int, int]:
        """The word around an offset; the whole piece where there are no words."""
        return 0, self.length

    def copy_rect(self) -> QRectF | None:
        """Where its Copy button stands; None for no button."""
        return None

    def scroll_by(self, pixels: float) -> bool:
        """Move the content sideways; False if it does not move."""
        before = self.scroll_x
        self.scroll_x = max(0.0, min(self.overflow, self.scroll_x + pixels))
        return self.scroll_x != before

    def bridge_quotes(self, above: Piece, gap: float) -> None:
        """Let the bars of quotes that both stand in run through the gap between them."""
        shared = 0
        for mine, its in zip(self.spec.containers, above.spec.containers, strict=False):
            if mine != its:
                break
            shared += 1
        self._bridge = (shared, gap)

    def _paint_containers(self, painter: QPainter) -> None:
        """Bars of the quotes it stands in, and the marker of its list item."""
        style = self.look.style
        x = 0.0
        for level, container in enumerate(self.spec.containers):
            if container == "quote":
                above = self._bridge[1] if level < self._bridge[0] else 0.0
                bar = QRectF(x + 1, -above, 3, self.height + above)
                painter.fillRect(bar, theme.with_alpha(style.colors.accent, 0.55))
                x += style.quote_indent
            else:
                x += style.list_indent
        if self.spec.marker:
            self._paint_marker(painter, x)

    def _paint_marker(self, painter: QPainter, right: float) -> None:
        style, marker = self.look.style, self.spec.marker
        metrics = QFontMetricsF(style.body)
        baseline = self.first_baseline
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = baseline - metrics.xHeight() * 0.5
        if marker == "•":
            level = self.spec.containers.count("list")
            center = QPointF(right - style.list_indent * 0.5, middle)
            radius = style.em * 0.155
            color = theme.with_alpha(self.look.color, 0.75)
            painter.setPen(QPen(color, 1.2) if level % 2 == 0 else Qt.PenStyle.NoPen)
            painter.setBrush(color if level % 2 else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(center, radius, radius)
        elif marker.startswith("["):
            side = round(style.em * 0.82)
            middle = baseline - metrics.capHeight() / 2
            box = QRectF(
                round(right - style.list_indent * 0.86) + 0.5, round(middle - side / 2) + 0.5, side, side
            )
            _paint_box(painter, box, style, is_checked=marker == "[x]")
        else:
            painter.setFont(style.body)
            painter.setPen(theme.with_alpha(self.look.color, 0.85))
            width = metrics.horizontalAdvance(marker)
            # Numbers end where the text begins, so that units stand below units.
            left = max(right - style.list_indent * 0.28 - width, right - style.list_indent - width / 2)
            painter.drawText(QPointF(left, baseline), marker)


def _paint_box(painter: QPainter, box: QRectF, style: Style, *, is_checked: bool) -> None:
    colors = style.colors
    painter.setPen(QPen(colors.accent if is_checked else colors.text_muted, 1.3))
    painter.setBrush(colors.accent if is_checked else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box, 3, 3)
    if is_checked:
        painter.setPen(QPen(colors.accent_text, 1.7, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        w, x, y = box.width(), box.left(), box.top()
        painter.drawPolyline(
            [
                QPointF(x + w * 0.24, y + w * 0.53),
                QPointF(x + w * 0.43, y + w * 0.72),
                QPointF(x + w * 0.77, y + w * 0.30),
            ]
        )


class TextPiece(Piece):
    """A paragraph or heading."""

    def __init__(self, spec: PieceSpec, look: Look) -> None:
        super().__init__(spec, look)
        font = look.style.heading(spec.level) if spec.kind == "heading" else look.style.body
        color = look.style.colors.text_muted if "quote" in spec.containers else look.color
        self._rich = RichText(spec.spans, look.style, look.formulas, font=font, color=color)
        self.waits_for = self._rich.waits_for
        self.length = self._rich.length

    @property
    def natural_width(self) -> float:
        return self.indent + self._rich.ideal_width

    @property
    def first_baseline(self) -> float:
        return self._rich.first_baseline

    @property
    def gap_above(self) -> float:
        if self.spec.kind == "heading":
            return self.look.style.em * (1.7 if self.spec.level <= 2 else 1.35)
        return super().gap_above

    def layout(self, width: float) -> float:
        return self._rich.set_width(width)

    def paint_content(self, painter: QPainter, clip: QRectF, selection: Selection) -> None:
        self._rich.paint(painter, QPointF(0, 0), selection)

    def hit_content(self, point: QPointF) -> int:
        return self._rich.hit(point)

    def link_at(self, point: QPointF) -> str | None:
        return self._rich.link_at(point - QPointF(self.indent, 0))

    def text(self, start: int, end: int) -> str:
        return self._rich.text(start, end)

    def word_at(self, offset: int) -> tuple[int, int]:
        return self._rich.word_at(offset)


class RulePiece(Piece):
    """A thematic break."""

    def layout(self, width: float) -> float:
        self._line_width = width
        return 1.0

    @property
    def gap_above(self) -> float:
        return self.look.style.em * 1.4

    def paint_content(self, painter: QPainter, _clip: QRectF, _selection: Selection) -> None:
        painter.fillRect(QRectF(0, 0, self._line_width, 1), self.look.style.colors.border)

    def text(self, start: int, end: int) -> str:
        return ""


class FormulaPiece(Piece):
    """A display formula in the middle of the column; selected as a whole."""

    def __init__(self, spec: PieceSpec, look: Look) -> None:
        super().__init__(spec, look)
        self.length = 1
        self._formula = None if spec.is_open else look.formulas.find(spec.text, is_display=True)
        self._source: RichText | None = None
        self._px = QFontMetricsF(look.style.body).height() / 1.17
        if self._formula is None:
            if not spec.is_open and look.formulas.is_waiting(spec.text, is_display=True):
                self.waits_for.add(spec.text)
            self._source = RichText(
                [Span(spec.text)],
                look.style,
                look.formulas,
                font=look.style.code,
                color=look.style.colors.text_muted,
            )

    @property
    def natural_width(self) -> float:
        if self._formula is None:
            return self.width
        return self.indent + self._formula.width_em * self._px

    def layout(self, width: float) -> float:
        self._area = width
        if self._formula is None:
            assert self._source is not None
            return self._source.set_width(width)
        self._scale = max(0.7, min(1.0, width / max(1.0, self._formula.width_em * self._px)))
        self.overflow = max(0.0, self._formula.width_em * self._px * self._scale - width)
        self.scroll_x = min(self.scroll_x, self.overflow)
        return (self._formula.ascent_em + self._formula.descent_em) * self._px * self._scale

    def paint_content(self, painter: QPainter, _clip: QRectF, selection: Selection) -> None:
        is_selected = selection is not None and selection[0] < selection[1]
        if self._formula is None:
            assert self._source is not None
            self._source.paint(painter, QPointF(0, 0), (0, self._source.length) if is_selected else None)
            return
        px = self._px * self._scale
        width = self._formula.width_em * px
        x = max(0.0, (self._area - width) / 2) - self.scroll_x
        painter.save()
        painter.setClipRect(QRectF(0, -2, self._area, self.height + 4), Qt.ClipOperation.IntersectClip)
        if is_selected:
            rect = QRectF(x, 0, width, self.height)
            painter.fillRect(rect, theme.with_alpha(self.look.style.colors.accent, 0.28))
        at = QPointF(x, self._formula.ascent_em * px)
        self.look.formulas.paint(painter, (self.spec.text, True), at, px, self.look.color)
        painter.restore()

    def hit_content(self, point: QPointF) -> int:
        return 0 if point.x() < self._area / 2 else 1

    def text(self, start: int, end: int) -> str:
        return f"$$\n{self.spec.text}\n$$" if start < end else ""
