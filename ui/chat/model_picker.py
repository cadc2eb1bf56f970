"""Choosing the model that answers: a button that shows its state, and a list behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionToolButton,
    QStyleOptionViewItem,
    QStylePainter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from model_manager.types import EngineState, ModelEntry
from ui import formats, icons, placement_words, theme
from ui.i18n import tr
from ui.rows_view import RowsView

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


def describe(entry: ModelEntry) -> str:
    """Size, architecture, experts and quantization in one line; what is unknown is left out."""
    if entry.is_missing:
        return tr("The file is missing")
    if entry.address:
        return tr("on {address}", address=entry.address)
    parts = [formats.size(entry.size_bytes)]
    if entry.architecture:
        parts.append(entry.architecture)
    if entry.n_experts:
        parts.append(tr("{n} experts, {used} active", n=entry.n_experts, used=entry.n_experts_used))
    else:
        parts.append(tr("dense"))
    if entry.quantization:
        parts.append(entry.quantization)
    return " · ".join(parts)


class ModelChoices(QAbstractListModel):
    """One row a library entry."""

    ENTRY_ROLE = Qt.ItemDataRole.UserRole + 1
    CURRENT_ROLE = Qt.ItemDataRole.UserRole + 2

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[ModelEntry] = []
        self._current = ""

    def set_entries(self, entries: Sequence[ModelEntry], current: str | None) -> None:
        """Replace all rows; `current` is the name of the one in use."""
        self.beginResetModel()
        self._entries = list(entries)
        self._current = current or ""
        self.endResetModel()

    def entry(self, index: Index) -> ModelEntry:
        """What a row stands for."""
        return self._entries[index.row()]

    def current_index(self) -> QModelIndex:
        """The row of the model in use; invalid when there is none."""
        for i, entry in enumerate(self._entries):
            if entry.name == self._current:
                return self.index(i)
        return QModelIndex()

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._entries)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        if self._entries[index.row()].is_missing:
            return Qt.ItemFlag.ItemNeverHasChildren
        return super().flags(index)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._entries):
            return None
        entry = self._entries[index.row()]
        if role == self.ENTRY_ROLE:
            return entry
        if role == self.CURRENT_ROLE:
            return entry.name == self._current
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.name
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            marks = [tr("demonstration")] if entry.is_starter else []
            return "\n".join([entry.name, *marks, describe(entry)])
        return None


class ModelRowDelegate(QStyledItemDelegate):
    """Name and badge above, description below, a tick before the one in use."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(200, option.fontMetrics.lineSpacing() * 2 + 18)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: ModelEntry = index.data(ModelChoices.ENTRY_ROLE)
        colors = theme.colors()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if entry.is_missing:
            painter.setOpacity(0.6)
        row = option.rect.adjusted(4, 1, -4, -1)
        states = QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver
        if option.state & states and not entry.is_missing:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(
                colors.selected if option.state & QStyle.StateFlag.State_Selected else colors.hover
            )
            painter.drawRoundedRect(row, theme.RADIUS - 2, theme.RADIUS - 2)
        inside = row.adjusted(36, 7, -12, -7)
        if index.data(ModelChoices.CURRENT_ROLE):
            icons.paint(painter, "check", QRectF(row.left() + 9, row.center().y() - 9, 18, 18), colors.accent)
        small = QFont(option.font)
        small.setPointSizeF(small.pointSizeF() * 0.88)
        badge_width = self._paint_badge(painter, small, entry, inside)
        strong = QFont(option.font)
        strong.setWeight(QFont.Weight.DemiBold)
        painter.setFont(strong)
        painter.setPen(colors.text)
        top = QRect(inside.topLeft(), QSize(inside.width() - badge_width, inside.height() // 2))
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        name = painter.fontMetrics().elidedText(entry.name, Qt.TextElideMode.ElideMiddle, top.width())
        painter.drawText(top, left, name)
        painter.setFont(small)
        painter.setPen(colors.error if entry.is_missing else colors.text_muted)
        below = QRect(
            inside.left(), inside.top() + inside.height() // 2, inside.width(), inside.height() // 2
        )
        text = painter.fontMetrics().elidedText(describe(entry), Qt.TextElideMode.ElideRight, below.width())
        painter.drawText(below, left, text)
        painter.restore()

    @staticmethod
    def _paint_badge(painter: QPainter, font: QFont, entry: ModelEntry, inside: QRect) -> int:
        """Mark the demonstration models; returns the width that was taken."""
        if not entry.is_starter:
            return 0
        text = tr("demonstration")
        painter.setFont(font)
        metrics = painter.fontMetrics()
        width = metrics.horizontalAdvance(text) + 16
        badge = QRectF(inside.right() - width, inside.top(), width, metrics.height() + 4)
        painter.setPen(theme.with_alpha(theme.colors().text_muted, 0.45))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(badge, badge.height() / 2, badge.height() / 2)
        painter.setPen(theme.colors().text_muted)
        painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), text)
        return width + theme.SPACING


class ModelList(QFrame):
    """The list that opens below the button.

    Signals:
        chosen: Name of an entry.
        downloads_requested, models_requested: The ways to get more.
    """

    chosen = Signal(str)
    downloads_requested = Signal()
    models_requested = Signal()

    def __init__(self, choices: ModelChoices, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("popup")
        self._choices = choices
        self.view = RowsView()
        self.view.setObjectName("popup_list")
        self.view.setModel(choices)
        self.view.setItemDelegate(ModelRowDelegate(self.view))
        self.view.setAccessibleName(tr("Models"))
        self.download_button = QPushButton(icons.icon("download"), tr("Download a model…"))
        self.manage_button = QPushButton(icons.icon("library"), tr("Manage models…"))
        buttons = QHBoxLayout()
        buttons.addWidget(self.download_button)
        buttons.addWidget(self.manage_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        self.placement_label = QLabel()
        self.placement_label.setProperty("muted", True)
        self.placement_label.setWordWrap(True)
        self.placement_label.setContentsMargins(10, 2, 10, 4)
        column.addWidget(self.view, 1)
        column.addWidget(self.placement_label)
        column.addLayout(buttons)
        self.view.chosen.connect(self._on_chosen)
        self.download_button.clicked.connect(lambda: self._leave(self.downloads_requested))
        self.manage_button.clicked.connect(lambda: self._leave(self.models_requested))

    def set_placement(self, words: str) -> None:
        """Where the loaded model lies; empty while none is loaded."""
        self.placement_label.setText(words)
        self.placement_label.setVisible(bool(words))

    def open_below(self, button: QWidget) -> None:
        """Show the list with the model in use marked, its right edge below the button's."""
        n_rows = max(1, min(8, self._choices.rowCount()))
        row_height = self.view.sizeHintForRow(0) if self._choices.rowCount() else 48
        self.view.setFixedHeight(n_rows * row_height + 4)
        self.setFixedWidth(420)
        self.adjustSize()
        where = button.mapToGlobal(QPoint(button.width() - self.width(), button.height() + 4))
        edge = button.window().geometry().left() + 4
        self.move(max(where.x(), edge), where.y())
        self.view.setCurrentIndex(self._choices.current_index())
        self.show()
        self.view.setFocus(Qt.FocusReason.PopupFocusReason)

    def _on_chosen(self, index: QModelIndex) -> None:
        entry = self._choices.entry(index)
        if not entry.is_missing:
            self.hide()
            self.chosen.emit(entry.name)

    def _leave(self, signal: Any) -> None:
        self.hide()
        signal.emit()


class ModelPicker(QToolButton):
    """Shows the model in use, its state and its load progress; opens the list.

    Signals:
        model_chosen: Name of an entry.
        downloads_requested, models_requested: The ways to get more.
    """

    model_chosen = Signal(str)
    downloads_requested = Signal()
    models_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("model_picker")
        self.choices = ModelChoices(self)
        self._list: ModelList | None = None
        self._current = ""
        self._state: EngineState | None = None
        self.setMaximumWidth(360)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self.open_list)
        self._retranslate()

    def set_models(self, entries: Sequence[ModelEntry], current: str | None) -> None:
        """What can be chosen, and the name of what is."""
        self._current = current or ""
        self.choices.set_entries(entries, current)
        self._retranslate()

    def set_state(self, state: EngineState | None) -> None:
        """What the engine does; None while there is none."""
        self._state = state
        self._retranslate()

    def open_list(self) -> None:
        """Show what can be chosen."""
        shown = self._open()
        shown.set_placement(self.placement_text())
        shown.open_below(self)

    def _open(self) -> ModelList:
        if self._list is None:
            self._list = ModelList(self.choices, self)
            self._list.chosen.connect(self.model_chosen)
            self._list.downloads_requested.connect(self.downloads_requested)
            self._list.models_requested.connect(self.models_requested)
        return self._list

    def state_text(self) -> str:
        """The state in words; empty while nothing has been loaded."""
        if self._state is None or self._state.name != self._current:
            return ""
        if self._state.status == "loading":
            return tr("Loading {percent} %", percent=self._state.load_permille // 10)
        return {"ready": tr("Ready"), "stopped": tr("Not loaded"), "failed": tr("Failed")}[self._state.status]

    def placement_text(self) -> str:
        """Where the loaded model lies and what it holds, in a line or two; empty while none is loaded."""
        info = self._state.info if self._state is not None and self._state.name == self._current else None
        if info is None or info.placement is None:
            return ""
        where = placement_words.summary(info.placement, info.n_layers)
        context = tr("{n} tokens of context", n=formats.number(info.n_ctx_tokens))
        return tr("Loaded: {where}; {context}", where=where, context=context)

    def _retranslate(self) -> None:
        text = self._current or tr("Choose a model")
        if self._is_loading():
            text = f"{text}  ·  {self.state_text()}"
        self.setText(text)
        spoken = ", ".join(part for part in (self._current or tr("none"), self.state_text()) if part)
        self.setAccessibleName(tr("Model: {name}", name=spoken))
        lines = [f"{self.accessibleName()}  (Ctrl+M)", self.placement_text()]
        self.setToolTip("\n".join(line for line in lines if line))
        self.updateGeometry()
        self.update()

    def _is_loading(self) -> bool:
        return (
            self._state is not None and self._state.status == "loading" and self._state.name == self._current
        )

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + 68, metrics.height() + 16)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        colors = theme.colors()
        painter = QStylePainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        option.text = ""
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        dot = {
            "ready": colors.success,
            "loading": colors.accent,
            "failed": colors.error,
        }.get(self._state.status if self.state_text() and self._state else "", colors.border)
        middle = self.height() / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(dot)
        painter.drawEllipse(QRectF(13, middle - 4, 8, 8))
        icons.paint(painter, "chevron-down", QRectF(self.width() - 28, middle - 8, 16, 16), colors.text_muted)
        inside = QRect(30, 0, self.width() - 62, self.height())
        painter.setPen(colors.text)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, inside.width())
        painter.drawText(inside, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), shown)
        if self._is_loading() and self._state is not None:
            self._paint_progress(painter, self._state.load_permille)

    def _paint_progress(self, painter: QPainter, permille: int) -> None:
        track = QRectF(10, self.height() - 6, self.width() - 20, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colors().border)
        painter.drawRoundedRect(track, 1.5, 1.5)
        track.setWidth(max(3.0, track.width() * permille / 1000))
        painter.setBrush(theme.colors().accent)
        painter.drawRoundedRect(track, 1.5, 1.5)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            if self._list is not None:
                self._list.deleteLater()
                self._list = None
            self._retranslate()
