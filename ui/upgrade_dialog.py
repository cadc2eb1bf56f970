"""Shown while the database of an earlier version is brought up to date, before there is a window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from ui.i18n import tr


class UpgradeDialog(QWidget):
    """A sentence and a bar. It cannot be closed: half of it would be nothing, and it is safe in any case."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.CustomizeWindowHint)
        self.setWindowTitle("Coterie")
        title = QLabel(tr("Bringing the database up to date…"))
        note = QLabel(
            tr(
                "A new version keeps more of your conversations."
                " A copy of the old file stays among the backups."
            )
        )
        note.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(title.text())
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 24)
        column.setSpacing(12)
        for widget in (title, note, self.bar):
            column.addWidget(widget)
        self.setFixedWidth(420)

    def set_progress(self, permille: int) -> None:
        """How far it is."""
        self.bar.setValue(permille)

    def closeEvent(self, event: QCloseEvent) -> None:
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()
