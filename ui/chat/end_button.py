"""The round button that leads back to the end of the conversation."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from ui import icons, theme
from ui.i18n import tr

_SIDE = 36
_ABOVE_BOTTOM = 14


class EndButton(QAbstractButton):
    """Floats above the text, in the middle of its lower edge."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(_SIDE, _SIDE)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip(tr("Jump to the end"))
        self.setAccessibleName(tr("Jump to the end"))
        self.hide()

    def place(self, area: QRect, *, is_wanted: bool) -> None:
        """Stand at the lower edge of `area`, if there is a reason to."""
        self.move(area.center().x() - _SIDE // 2, area.bottom() - _SIDE - _ABOVE_BOTTOM)
        self.setVisible(is_wanted)

    def paintEvent(self, _event: QPaintEvent) -> None:
        colors = theme.colors()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colors.border, 1))
        painter.setBrush(colors.hover if self.underMouse() else colors.surface_raised)
        painter.drawEllipse(QRectF(1, 1, _SIDE - 2, _SIDE - 2))
        icon = QRectF(0, 0, 18, 18)
        icon.moveCenter(QRectF(self.rect()).center())
        icons.paint(painter, "chevron-down", icon, colors.text)
        painter.end()
