"""The passages that an answer was made from, as they were then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.i18n import tr
from ui.knowledge.values import CitedPassage
from ui.labels import ElidedLabel

_LIST_PX = 230


class PassagesDialog(QDialog):
    """A list of them, and the one that is chosen."""

    def __init__(
        self, passages: Sequence[CitedPassage], number: int | None = None, parent: QWidget | None = None
    ) -> None:
        """Make it.

        Args:
            passages: At least one.
            number: Of the one that is shown first; None shows the first.
            parent: The window.
        """
        super().__init__(parent)
        self._passages = passages
        self.list = QListWidget()
        self.list.setFixedWidth(_LIST_PX)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setObjectName("plain_list")
        self.place_label = ElidedLabel()
        self.place_label.setProperty("heading", True)
        self.path_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.path_label.setProperty("muted", True)
        self.text_view = QPlainTextEdit()
        self.text_view.setReadOnly(True)
        self.open_button = QPushButton()
        self.close_button = QPushButton()
        for button in (self.open_button, self.close_button):
            button.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        passage = QVBoxLayout()
        passage.setSpacing(theme.SPACING // 2)
        passage.addWidget(self.place_label)
        passage.addWidget(self.path_label)
        passage.addWidget(self.text_view, 1)
        both = QHBoxLayout()
        both.setSpacing(2 * theme.SPACING)
        both.addWidget(self.list)
        both.addLayout(passage, 1)
        page = QVBoxLayout(self)
        page.setContentsMargins(20, 16, 20, 16)
        page.setSpacing(2 * theme.SPACING)
        page.addLayout(both, 1)
        page.addLayout(buttons)
        self.resize(760, 440)
        self.setMinimumSize(520, 280)
        for one in passages:
            item = QListWidgetItem(f"[{one.number}]  {one.place}")
            item.setToolTip(one.place)
            self.list.addItem(item)
        self.list.setVisible(len(passages) > 1)
        self.list.currentRowChanged.connect(self._show)
        self.open_button.clicked.connect(self._on_open)
        self.close_button.clicked.connect(self.close)
        self.retranslate()
        row = next((row for row, one in enumerate(passages) if one.number == number), 0)
        self.list.setCurrentRow(row)
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def shown(self) -> CitedPassage:
        """The one that is chosen."""
        return self._passages[max(0, self.list.currentRow())]

    def _show(self) -> None:
        one = self.shown()
        self.place_label.setText(f"[{one.number}]  {one.place}")
        self.path_label.setText(one.path)
        self.text_view.setPlainText(one.text)
        is_there = Path(one.path).is_file()
        self.open_button.setEnabled(is_there)
        self.open_button.setToolTip("" if is_there else tr("The document is no longer there."))

    def _on_open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(self.shown().path))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def retranslate(self) -> None:
        """Write all words in the language in use."""
        self.setWindowTitle(tr("Passages of the answer"))
        self.list.setAccessibleName(tr("Passages of the answer"))
        self.text_view.setAccessibleName(tr("Passage"))
        self.open_button.setText(tr("Open the document"))
        self.close_button.setText(tr("Close"))
