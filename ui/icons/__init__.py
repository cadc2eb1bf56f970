"""Stroke icons that take their colour from the palette at the moment they are painted."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from ui import theme

_FOLDER = Path(__file__).parent


@cache
def _source(name: str) -> str:
    return (_FOLDER / f"{name}.svg").read_text("utf-8")


@lru_cache(maxsize=256)
def _renderer(name: str, color: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_source(name).replace("currentColor", color).encode()))


def paint(painter: QPainter, name: str, rect: QRectF, color: QColor) -> None:
    """Draw one icon as a square in the middle of `rect`; for delegates and own widgets."""
    side = min(rect.width(), rect.height())
    square = QRectF(0, 0, side, side)
    square.moveCenter(rect.center())
    painter.save()
    painter.setOpacity(painter.opacity() * color.alphaF())
    _renderer(name, color.name()).render(painter, square)
    painter.restore()


class _StrokeEngine(QIconEngine):
    """Paints one icon; `role` is a field of `theme.Colors`."""

    def __init__(self, name: str, role: str) -> None:
        super().__init__()
        self._name = name
        self._role = role

    def clone(self) -> QIconEngine:
        return _StrokeEngine(self._name, self._role)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, _state: QIcon.State) -> None:
        color: QColor = getattr(theme.colors(), self._role)
        if mode == QIcon.Mode.Disabled:
            color = theme.with_alpha(theme.colors().text_muted, 0.5)
        paint(painter, self._name, QRectF(rect), color)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        if size.isEmpty():  # buttons that have no room yet ask for this too
            return QPixmap()
        result = QPixmap(size)
        result.fill(Qt.GlobalColor.transparent)
        painter = QPainter(result)
        self.paint(painter, QRect(QPointF(0, 0).toPoint(), size), mode, state)
        painter.end()
        return result


def icon(name: str, role: str = "text") -> QIcon:
    """The icon of a file of this folder; follows the theme by itself.

    Args:
        name: File name without its suffix.
        role: Field of `theme.Colors` to paint with.
    """
    _source(name)  # a wrong name fails here, not while painting
    return QIcon(_StrokeEngine(name, role))


def pixmap(name: str, side: int, color: QColor, ratio: float = 1.0) -> QPixmap:
    """A picture of an icon, `side` logical pixels wide."""
    result = QPixmap(round(side * ratio), round(side * ratio))
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    paint(painter, name, QRectF(0, 0, result.width(), result.height()), color)
    painter.end()
    result.setDevicePixelRatio(ratio)
    return result
