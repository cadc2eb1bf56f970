"""Every request that was made: when, whom, what, how much, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from model_manager.types import RequestRecord
from ui import formats, theme
from ui.i18n import marked, tr

_Index = QModelIndex | QPersistentModelIndex

_HEADINGS = (
    marked("When"),
    marked("Why"),
    marked("Host"),
    marked("Path"),
    marked("Status"),
    marked("Received"),
)
_PATH = 3
_NUMBERS = (4, 5)


class RequestsModel(QAbstractTableModel):
    """Records as rows, the newest first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._records: list[RequestRecord] = []

    def set_records(self, records: Sequence[RequestRecord]) -> None:
        """Show these; they come with the oldest first."""
        self.beginResetModel()
        self._records = list(reversed(records))
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 : Qt's own signature
        return 0 if parent.isValid() else len(self._records)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 : Qt's own signature
        return 0 if parent.isValid() else len(_HEADINGS)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        record = self._records[index.row()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{record.method} {record.host}{record.path}"
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return (
            _local(record.at),
            record.why or "?",
            record.host,
            record.path,
            record.error if record.status is None else str(record.status),
            formats.size(record.received_bytes),
        )[index.column()]

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return tr(_HEADINGS[section])
        return _alignment(section) if role == Qt.ItemDataRole.TextAlignmentRole else None


class RequestsDialog(QDialog):
    """The log as a table.

    Signals:
        refresh_wanted: The newest are to be read.
    """

    refresh_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_offline = False
        self._hosts: tuple[str, ...] = ()
        self.model = RequestsModel(self)
        self.table = QTableView()
        self.table.setObjectName("requests")
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_PATH, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.refresh_button = QPushButton()
        self.close_button = QPushButton()
        for button in (self.refresh_button, self.close_button):
            button.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.refresh_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        page = QVBoxLayout(self)
        page.setContentsMargins(20, 16, 20, 16)
        page.setSpacing(theme.SPACING)
        page.addWidget(self.words)
        page.addWidget(self.table, 1)
        page.addLayout(buttons)
        self.resize(860, 520)
        self.setMinimumSize(440, 280)
        self.refresh_button.clicked.connect(self.refresh_wanted)
        self.close_button.clicked.connect(self.close)
        self.retranslate()

    def set_requests(
        self, records: Sequence[RequestRecord], is_offline: bool, hosts: tuple[str, ...]
    ) -> None:
        """Show the last requests, whether the door is closed, and who may be asked."""
        self.model.set_records(records)
        self._is_offline, self._hosts = is_offline, hosts
        self._say()

    def _say(self) -> None:
        if self._is_offline:
            text = tr("The offline switch is on: nothing leaves this machine.")
        else:
            text = tr("The offline switch is off. These may be asked: {hosts}.", hosts=", ".join(self._hosts))
        if not self.model.rowCount():
            text = f"{text} {tr('No request was made yet.')}"
        self.words.setText(text)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def retranslate(self) -> None:
        """Write all words in the language in use."""
        self.setWindowTitle(tr("Requests"))
        self.refresh_button.setText(tr("Read again"))
        self.close_button.setText(tr("Close"))
        self.table.setAccessibleName(tr("Requests"))
        self.model.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(_HEADINGS) - 1)
        self._say()


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in _NUMBERS else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _local(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return at
