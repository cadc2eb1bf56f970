"""How the rows of the conversation list look, and how a title is edited in its place."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ui import theme
from ui.conversation_list import ConversationList
from ui.i18n import tr

Index = QModelIndex | QPersistentModelIndex


class ConversationDelegate(QStyledItemDelegate):
    """Paints headings small and muted, titles on a rounded row."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        is_heading = isinstance(index.data(ConversationList.ROW_ROLE), str)
        return QSize(100, option.fontMetrics.height() + (22 if is_heading else 16))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colors = theme.colors()
        row = option.rect.adjusted(theme.SPACING, 1, -theme.SPACING, -1)
        text = str(index.data(Qt.ItemDataRole.DisplayRole))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(index.data(ConversationList.ROW_ROLE), str):
            small = QFont(option.font)
            small.setPointSizeF(small.pointSizeF() * 0.88)
            small.setWeight(QFont.Weight.DemiBold)
            painter.setFont(small)
            painter.setPen(colors.text_muted)
            inside = row.adjusted(theme.SPACING, 0, -theme.SPACING, -4)
            painter.drawText(inside, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom), text)
            painter.restore()
            return
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if is_selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colors.selected if is_selected else colors.hover)
            painter.drawRoundedRect(row, theme.RADIUS - 2, theme.RADIUS - 2)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(colors.accent)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(row, theme.RADIUS - 2, theme.RADIUS - 2)
        inside = row.adjusted(theme.SPACING, 0, -theme.SPACING, 0)
        painter.setFont(option.font)
        painter.setPen(colors.text)
        shown = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, inside.width())
        painter.drawText(inside, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), shown)
        painter.restore()

    def createEditor(self, parent: QWidget, _option: QStyleOptionViewItem, _index: Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setObjectName("title_editor")
        editor.setAccessibleName(tr("Title"))
        editor.setMaxLength(200)
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, _index: Index) -> None:
        rect: QRect = option.rect
        editor.setGeometry(rect.adjusted(theme.SPACING, 1, -theme.SPACING, -1))
