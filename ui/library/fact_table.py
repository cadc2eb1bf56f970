"""Names and values under each other, which can be selected and copied."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QLabel, QWidget


class FactTable(QWidget):
    """Rows of a name and a value; without any it is not there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[str, str]] = []
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(16)
        self._form.setVerticalSpacing(4)
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self.hide()

    def set_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show these."""
        if list(rows) == self._rows:
            return
        self._rows = list(rows)
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in rows:
            title, words = QLabel(name), QLabel(value)
            title.setProperty("muted", True)
            for label in (title, words):
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            words.setWordWrap(True)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            words.setAccessibleName(f"{name}: {value}")
            self._form.addRow(title, words)
        self.setVisible(bool(rows))

    def rows(self) -> Sequence[tuple[str, str]]:
        """What is shown."""
        return tuple(self._rows)
