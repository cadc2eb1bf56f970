"""A bar for each kind of memory: what other programs have, what a model would put there, what is left."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui import formats, theme
from ui.i18n import tr
from ui.library.values import FitFigures, MemoryKind, MemoryUse, PartKind

_BAR_HEIGHT = 16
_ROW_GAP = 10
_LEAST_PX = 2.0
_SWATCH = 10
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def part_name(kind: PartKind) -> str:
    """What memory is for."""
    if kind == "attention":
        return tr("attention and shared weights")
    if kind == "experts":
        return tr("experts")
    if kind == "kv":
        return tr("keys and values")
    if kind == "compute":
        return tr("computing")
    return tr("vocabulary and the rest")


def memory_name(kind: MemoryKind) -> str:
    """Which memory."""
    if kind == "device":
        return tr("Graphics memory")
    return tr("Main memory") if kind == "main" else tr("Read from disk")


def part_color(kind: PartKind) -> QColor:
    """Steps of the accent for weights, other hues for what the context costs."""
    colors = theme.colors()
    if kind == "attention":
        return colors.accent
    if kind == "experts":
        return theme.with_alpha(colors.accent, 0.5)
    if kind == "kv":
        return colors.warning
    if kind == "compute":
        return theme.with_alpha(colors.warning, 0.5)
    return theme.with_alpha(colors.text_muted, 0.7)


class FitBar(QWidget):
    """Draws the memory of a `FitFigures`, with a legend; all of it is also in the accessible description."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._uses: tuple[MemoryUse, ...] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_figures(self, figures: FitFigures | None) -> None:
        """Show where the model would lie; None shows nothing."""
        self._uses = figures.memory if figures is not None else ()
        self.setVisible(bool(self._uses))
        self._describe()
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(360, self.heightForWidth(max(360, self.width())))

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.heightForWidth(max(160, self.width())))

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        line = _line_height(self.fontMetrics())
        bars = len(self._uses) * (line + 4 + _BAR_HEIGHT + _ROW_GAP)
        return bars + self._arrange(width)[1]

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = 0.0
        for use in self._uses:
            top = self._paint_use(painter, use, top)
        self._paint_legend(painter, top)

    def _paint_use(self, painter: QPainter, use: MemoryUse, top: float) -> float:
        colors = theme.colors()
        line = _line_height(self.fontMetrics())
        words = QRectF(0, top, self.width(), line)
        painter.setPen(colors.text)
        painter.drawText(words, _LEFT, memory_name(use.kind))
        painter.setPen(colors.text_muted)
        painter.drawText(words, _RIGHT, _amounts(use))
        bar = QRectF(0, top + line + 4, self.width(), _BAR_HEIGHT)
        clip = QPainterPath()
        clip.addRoundedRect(bar, 4, 4)
        painter.save()
        painter.setClipPath(clip)
        painter.fillRect(bar, colors.border)
        whole = max(use.capacity_bytes, use.taken_bytes + use.model_bytes, 1)
        left = 0.0
        if use.taken_bytes:
            left = self._fill(painter, bar, left, use.taken_bytes / whole, _taken_brush())
        for kind, n_bytes in use.parts:
            brush = QBrush(part_color(kind))
            if use.kind == "disk":
                brush = QBrush(colors.error, Qt.BrushStyle.BDiagPattern)
            left = self._fill(painter, bar, left, n_bytes / whole, brush)
        if 0 < use.capacity_bytes < whole:
            edge = bar.width() * use.capacity_bytes / whole
            painter.fillRect(QRectF(edge - 1, bar.top(), 2, bar.height()), colors.error)
        painter.restore()
        return bar.bottom() + _ROW_GAP

    @staticmethod
    def _fill(painter: QPainter, bar: QRectF, left: float, share: float, brush: QBrush) -> float:
        if share <= 0:
            return left
        width = max(_LEAST_PX, bar.width() * share)
        painter.fillRect(QRectF(left, bar.top(), width, bar.height()), brush)
        painter.fillRect(QRectF(left + width - 1, bar.top(), 1, bar.height()), theme.colors().surface)
        return left + width

    def _legend(self) -> list[tuple[QBrush, str]]:
        sums: dict[PartKind, int] = {}
        for use in self._uses:
            for kind, n_bytes in use.parts:
                sums[kind] = sums.get(kind, 0) + n_bytes
        entries = [
            (QBrush(part_color(kind)), f"{part_name(kind)} {formats.size(n_bytes)}")
            for kind, n_bytes in sums.items()
            if n_bytes
        ]
        if any(use.taken_bytes for use in self._uses):
            entries.append((_taken_brush(), tr("other programs and loaded models")))
        return entries

    def _arrange(self, width: int) -> tuple[list[tuple[float, float]], int]:
        """Where each entry of the legend stands below its top, and how high all of it is."""
        metrics = QFontMetrics(self._legend_font())
        places: list[tuple[float, float]] = []
        left, top, line = 0.0, 0.0, _line_height(metrics) + 2
        entries = self._legend()
        for _brush, text in entries:
            wanted = _SWATCH + 6 + metrics.horizontalAdvance(text) + 16
            if left and left + wanted - 16 > width:
                left, top = 0.0, top + line
            places.append((left, top))
            left += wanted
        return places, round(top + line) if entries else 0

    def _paint_legend(self, painter: QPainter, top: float) -> None:
        painter.setFont(self._legend_font())
        metrics = painter.fontMetrics()
        places, _height = self._arrange(self.width())
        for (brush, text), (left, below) in zip(self._legend(), places, strict=True):
            y = top + below
            height = _line_height(metrics)
            swatch = QRectF(left, y + (height - _SWATCH) / 2, _SWATCH, _SWATCH)
            painter.fillRect(swatch, theme.colors().border)
            painter.fillRect(swatch, brush)
            painter.setPen(theme.colors().text_muted)
            painter.drawText(
                QRectF(left + _SWATCH + 6, y, self.width() - left - _SWATCH - 6, height),
                _LEFT,
                text,
            )

    @staticmethod
    def _legend_font() -> QFont:
        return theme.font(0.9)

    def _describe(self) -> None:
        lines = [f"{memory_name(use.kind)}: {_amounts(use)}" for use in self._uses]
        lines += [text for _, text in self._legend()]
        self.setAccessibleName(tr("Memory that the model takes"))
        self.setAccessibleDescription("\n".join(lines))
        self.setToolTip("\n".join(lines))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.FontChange):
            self._describe()
            self.updateGeometry()


def _line_height(metrics: QFontMetrics) -> int:
    """Chinese letters, of another font, stand higher than the metrics of the first one say."""
    return round(metrics.height() * 1.3)


def _taken_brush() -> QBrush:
    return QBrush(theme.with_alpha(theme.colors().text_muted, 0.55), Qt.BrushStyle.BDiagPattern)


def _amounts(use: MemoryUse) -> str:
    if use.kind == "disk":
        return formats.size(use.model_bytes)
    return tr(
        "{needed} of {free} free",
        needed=formats.size(use.model_bytes),
        free=formats.size(max(0, use.capacity_bytes - use.taken_bytes)),
    )
