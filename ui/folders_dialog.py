"""The folders that conversations lie in: to be renamed, or removed."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QItemSelectionModel, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from storage.records import Folder
from ui import formats, theme
from ui.i18n import tr
from ui.name_dialog import NameDialog
from ui.question import Question


class FoldersDialog(QDialog):
    """A list of folders with how many conversations lie in each.

    Attributes:
        words: Says how folders come to be.

    Signals:
        rename_requested: path, new path.
        remove_requested: path; confirmed. Its conversations stay.
    """

    rename_requested = Signal(str, str)
    remove_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it, still empty."""
        super().__init__(parent)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.list = QListWidget()
        self.list.setObjectName("dialog_rows")
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rename_button, self.remove_button, self.close_button = (
            QPushButton(),
            QPushButton(),
            QPushButton(),
        )
        buttons = QHBoxLayout()
        for button in (self.rename_button, self.remove_button, self.close_button):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.insertStretch(2, 1)
        page = QVBoxLayout(self)
        page.setContentsMargins(20, 16, 20, 16)
        page.setSpacing(theme.SPACING)
        page.addWidget(self.words)
        page.addWidget(self.list, 1)
        page.addLayout(buttons)
        self.resize(520, 380)
        self.setMinimumSize(380, 240)
        self.list.itemSelectionChanged.connect(self._show_buttons)
        self.list.itemActivated.connect(lambda _item: self._on_rename())
        self.rename_button.clicked.connect(self._on_rename)
        self.remove_button.clicked.connect(self._on_remove)
        self.close_button.clicked.connect(self.close)
        self.retranslate()

    def set_folders(self, folders: Sequence[Folder]) -> None:
        """Show these, in this order."""
        row = self.list.currentRow()
        self.list.clear()
        for folder in folders:
            item = QListWidgetItem(f"{folder.path}  ·  {formats.number(folder.n_conversations)}")
            item.setToolTip(folder.path)
            item.setData(Qt.ItemDataRole.UserRole, folder.path)
            self.list.addItem(item)
        if folders:
            chosen = max(0, min(row, len(folders) - 1))
            self.list.setCurrentRow(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._say()
        self._show_buttons()

    def _chosen(self) -> str:
        items = self.list.selectedItems()
        return str(items[0].data(Qt.ItemDataRole.UserRole)) if items else ""

    def _on_rename(self) -> None:
        path = self._chosen()
        new_path = NameDialog.ask(self, tr("Rename the folder"), tr("Work/Models"), path) if path else ""
        if new_path not in ("", path):
            self.rename_requested.emit(path, new_path)

    def _on_remove(self) -> None:
        path = self._chosen()
        if path and Question.ask(
            self,
            tr("Remove the folder “{path}”?", path=path),
            tr("Those below it go, too. Their conversations stay, and are in no folder then."),
            tr("Remove"),
        ):
            self.remove_requested.emit(path)

    def _show_buttons(self) -> None:
        for button in (self.rename_button, self.remove_button):
            button.setEnabled(bool(self._chosen()))

    def _say(self) -> None:
        self.words.setText(
            tr("How many conversations lie in each.")
            if self.list.count()
            else tr("There is no folder yet. “Move to a folder” in the menu of a conversation makes one.")
        )

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def retranslate(self) -> None:
        """Write all words in the language in use."""
        self.setWindowTitle(tr("Folders"))
        self.list.setAccessibleName(tr("Folders"))
        self.rename_button.setText(tr("Rename…"))
        self.remove_button.setText(tr("Remove"))
        self.close_button.setText(tr("Close"))
        self._say()
