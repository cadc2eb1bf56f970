"""The list that shows `faces`: cards that are painted, so that hundreds of them cost no widgets."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from PySide6.QtCore import QModelIndex, QRect, QRectF, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QResizeEvent
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ui import theme
from ui.library.faces import Badge, Face, Faces, Index
from ui.rows_view import RowsView

_GAP = 3
_INSET_X, _INSET_Y = 14, 9
_LINE_GAP = 3
_BAR_HEIGHT = 4
_LEAST_TITLE_PX = 110
# Chinese letters, of another font, stand higher and lower than the metrics of the first one say.
_UNCUT = int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextDontClip)
_LEFT = int(Qt.AlignmentFlag.AlignLeft) | _UNCUT
_RIGHT = int(Qt.AlignmentFlag.AlignRight) | _UNCUT


class FaceDelegate(QStyledItemDelegate):
    """Title with badges above, muted lines below, all in a card."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        face: Face = index.data(Faces.FACE_ROLE)
        height = option.fontMetrics.height()
        if face.is_heading:
            n_lines = len(face.lines)
            return QSize(120, 14 + height + n_lines * (_small_height(option.font) + 1) + 6)
        body = height + len(face.lines) * (_small_height(option.font) + _LINE_GAP)
        bar = _BAR_HEIGHT + 6 if face.permille is not None else 0
        return QSize(120, body + bar + 2 * (_INSET_Y + _GAP))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        face: Face = index.data(Faces.FACE_ROLE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if face.is_heading:
            self._paint_heading(painter, option, face)
        else:
            self._paint_card(painter, option, face)
        painter.restore()

    @staticmethod
    def _paint_heading(painter: QPainter, option: QStyleOptionViewItem, face: Face) -> None:
        colors = theme.colors()
        strong = QFont(option.font)
        strong.setWeight(QFont.Weight.DemiBold)
        painter.setFont(strong)
        painter.setPen(colors.text)
        height = QFontMetrics(strong).height()
        line = QRect(option.rect.left() + 2, option.rect.top() + 14, option.rect.width() - 4, height)
        painter.drawText(line, _LEFT, face.title)
        painter.setFont(_small(option.font))
        painter.setPen(colors.text_muted)
        for text in face.lines:
            line = QRect(line.left(), line.bottom() + 1, line.width(), _small_height(option.font))
            painter.drawText(line, _LEFT, _cut(painter, text, line.width()))

    def _paint_card(self, painter: QPainter, option: QStyleOptionViewItem, face: Face) -> None:
        colors = theme.colors()
        card = QRectF(option.rect).adjusted(1, _GAP, -1, -_GAP)
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        has_focus = is_selected and bool(option.state & QStyle.StateFlag.State_HasFocus)
        is_over = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.setBrush(
            colors.selected if is_selected else colors.hover if is_over else colors.surface_raised
        )
        painter.setPen(colors.accent if has_focus else colors.border)
        painter.drawRoundedRect(card.adjusted(0.5, 0.5, -0.5, -0.5), theme.RADIUS, theme.RADIUS)
        inside = card.toRect().adjusted(_INSET_X, _INSET_Y, -_INSET_X, -_INSET_Y)
        line = QRect(inside.left(), inside.top(), inside.width(), QFontMetrics(option.font).height())
        self._paint_title(painter, option, face, line)
        painter.setFont(_small(option.font))
        for number, text in enumerate(face.lines):
            line = QRect(
                inside.left(), line.bottom() + 1 + _LINE_GAP, inside.width(), _small_height(option.font)
            )
            painter.setPen(colors.error if face.is_wrong and number == 0 else colors.text_muted)
            painter.drawText(line, _LEFT, _cut(painter, text, line.width()))
        if face.permille is not None:
            self._paint_bar(
                painter, QRectF(inside.left(), line.bottom() + 7, inside.width(), _BAR_HEIGHT), face
            )

    @staticmethod
    def _paint_title(painter: QPainter, option: QStyleOptionViewItem, face: Face, line: QRect) -> None:
        colors = theme.colors()
        small = _small(option.font)
        right = line.right() + 1
        if face.trailing:
            painter.setFont(option.font)
            painter.setPen(colors.text)
            painter.drawText(line, _RIGHT, face.trailing)
            right -= painter.fontMetrics().horizontalAdvance(face.trailing) + 12
        strong = QFont(option.font)
        strong.setWeight(QFont.Weight.DemiBold)
        wanted = QFontMetrics(strong).horizontalAdvance(face.title) + 1
        badges = _that_fit(
            face.badges, QFontMetrics(small), right - line.left() - min(wanted, _LEAST_TITLE_PX)
        )
        taken = sum(_badge_width(badge, QFontMetrics(small)) + 6 for badge in badges)
        painter.setFont(strong)
        painter.setPen(colors.text)
        room = max(0, right - line.left() - taken)
        shown = painter.fontMetrics().elidedText(face.title, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(QRect(line.left(), line.top(), room, line.height()), _LEFT, shown)
        left = line.left() + min(wanted, room) + 8
        painter.setFont(small)
        for badge in badges:
            left += _paint_badge(painter, badge, left, line) + 6

    @staticmethod
    def _paint_bar(painter: QPainter, bar: QRectF, face: Face) -> None:
        colors = theme.colors()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.border)
        painter.drawRoundedRect(bar, 2, 2)
        painter.setBrush(colors.accent)
        done = QRectF(bar)
        done.setWidth(bar.width() * (face.permille or 0) / 1000)
        painter.drawRoundedRect(done, 2, 2)


class FaceView(RowsView):
    """A list of faces that is moved through with the arrow keys; Enter and a click choose.

    Signals:
        face_chosen: Key of the row.
        current_key_changed: Key of the row that the keyboard is on; None when there is none.
        delete_key_pressed: Key of the row.
    """

    face_chosen = Signal(object)
    current_key_changed = Signal(object)
    delete_key_pressed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("faces")
        self.faces = Faces(self)
        self.setModel(self.faces)
        self.setItemDelegate(FaceDelegate(self))
        self.setUniformItemSizes(False)
        self.setEditTriggers(RowsView.EditTrigger.NoEditTriggers)
        self.chosen.connect(self._on_chosen)
        self.delete_pressed.connect(lambda index: self._emit(self.delete_key_pressed, index))
        self.selectionModel().currentChanged.connect(self._on_current)

    def set_faces(self, faces: Sequence[Face]) -> None:
        """Show these rows; the current one stays current while it is among them."""
        key = self.current_key()
        self.faces.set_faces(faces)
        if key is not None and self.current_key() != key:
            self.set_current_key(key)

    def current_key(self) -> Hashable:
        """Of the row that the keyboard is on; None where there is none."""
        face = self.faces.face(self.currentIndex())
        return None if face is None else face.key

    def set_current_key(self, key: Hashable) -> None:
        """Move to a row; without one of this key, to none."""
        index = self.faces.index_of(key)
        self.setCurrentIndex(index)
        if not index.isValid():
            self.clearSelection()

    def enter(self) -> None:
        """Take the keyboard, on the first row if it is on none."""
        if self.current_key() is None:
            first = next((face for face in self.faces.all() if not face.is_heading), None)
            if first is not None:
                self.set_current_key(first.key)
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def dataChanged(self, top_left: Index, bottom_right: Index, roles: Sequence[int] = ()) -> None:
        if Faces.FACE_ROLE in roles:
            self.update(top_left)
        else:
            super().dataChanged(top_left, bottom_right, list(roles))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()

    def _on_chosen(self, index: QModelIndex) -> None:
        self._emit(self.face_chosen, index)

    def _on_current(self, index: QModelIndex) -> None:
        face = self.faces.face(index)
        self.current_key_changed.emit(None if face is None else face.key)

    def _emit(self, signal: SignalInstance, index: QModelIndex) -> None:
        face = self.faces.face(index)
        if face is not None and not face.is_heading:
            signal.emit(face.key)


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPointSizeF(small.pointSizeF() * 0.9)
    return small


def _small_height(font: QFont) -> int:
    return QFontMetrics(_small(font)).height()


def _cut(painter: QPainter, text: str, width: int) -> str:
    return painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, width)


def _badge_width(badge: Badge, metrics: QFontMetrics) -> int:
    return metrics.horizontalAdvance(badge.text) + 16


def _that_fit(badges: Sequence[Badge], metrics: QFontMetrics, room: int) -> list[Badge]:
    """The first ones that leave the title its room; the others are in the tool tip."""
    shown = []
    for badge in badges:
        room -= _badge_width(badge, metrics) + 6
        if room < 0:
            break
        shown.append(badge)
    return shown


def _paint_badge(painter: QPainter, badge: Badge, left: int, line: QRect) -> int:
    metrics = painter.fontMetrics()
    width, height = _badge_width(badge, metrics), metrics.height() + 2
    frame = QRectF(left, line.center().y() - height / 2 + 0.5, width, height)
    color = getattr(theme.colors(), badge.tone)
    painter.setPen(theme.with_alpha(color, 0.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(frame, height / 2, height / 2)
    painter.setPen(color)
    painter.drawText(frame, int(Qt.AlignmentFlag.AlignCenter), badge.text)
    return width
