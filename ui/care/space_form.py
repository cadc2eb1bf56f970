"""What everything takes, and giving back what is empty."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import formats, theme
from ui.care import words
from ui.care.values import Space
from ui.i18n import tr


class SpaceForm(QWidget):
    """A table of sizes, and a button that compacts.

    Signals:
        compact_requested: Empty space shall be given back.
        stop_requested: That shall end, with nothing changed.
    """

    compact_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._space: Space | None = None
        self._is_compacting = False
        self._table = QWidget()
        self._grid = QGridLayout(self._table)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(4)
        self._grid.setHorizontalSpacing(16)
        self._grid.setColumnStretch(0, 1)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setProperty("muted", True)
        self.compact_button = QPushButton()
        self.stop_button = QPushButton()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        for button in (self.compact_button, self.stop_button):
            button.setAutoDefault(False)
        line = QHBoxLayout()
        line.setSpacing(theme.SPACING)
        line.addWidget(self.compact_button)
        line.addWidget(self.bar, 1)
        line.addWidget(self.stop_button)
        line.addStretch(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        column.addWidget(self._table)
        column.addWidget(self.words)
        column.addLayout(line)
        self.compact_button.clicked.connect(self.compact_requested)
        self.stop_button.clicked.connect(self.stop_requested)
        self.set_progress(None)
        self._retranslate()

    def set_space(self, space: Space | None) -> None:
        """Show sizes; None while they are read."""
        self._space = space
        self._fill()
        self._allow()

    def set_progress(self, permille: int | None) -> None:
        """How far compaction is; None while there is none."""
        is_running = self._is_compacting = permille is not None
        self.bar.setVisible(is_running)
        self.stop_button.setVisible(is_running)
        self.bar.setValue(permille or 0)
        self._allow()

    def _allow(self) -> None:
        """What is still being read cannot be written anew."""
        self.compact_button.setEnabled(self._space is not None and not self._is_compacting)

    def rows(self) -> Sequence[tuple[str, str]]:
        """What is shown."""
        if self._space is None:
            return [(tr("Reading…"), "")]
        return [(name, formats.size(size_bytes)) for name, size_bytes in words.space_rows(self._space)]

    def _fill(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for place, (name, value) in enumerate(self.rows()):
            title, size = QLabel(_capital(name.strip())), QLabel(value)
            if name.startswith(" "):
                title.setContentsMargins(16, 0, 0, 0)
                title.setProperty("muted", True)
                size.setProperty("muted", True)
            size.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            size.setAccessibleName(f"{name.strip()}: {value}")
            self._grid.addWidget(title, place, 0)
            self._grid.addWidget(size, place, 1)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.words.setText(
            tr(
                "Compacting writes the file anew without what is empty in it. It needs as much free room as"
                " the database takes, and answers wait until it is done."
            )
        )
        self.compact_button.setText(tr("Compact"))
        self.stop_button.setText(tr("Stop"))
        self.bar.setAccessibleName(tr("Compacting"))
        self._fill()


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
