"""The backups that there are, making one, and the way back to one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import formats, theme
from ui.care import words
from ui.care.values import BackupContent, BackupRow
from ui.flow import FlowLayout
from ui.i18n import tr
from ui.question import Question

_LIST_HEIGHT = 148
_PATH = Qt.ItemDataRole.UserRole


class CopyFile:
    """Choosing where a copy of the database goes."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        name = f"coterie-{datetime.now():%Y-%m-%d}.sqlite"
        kinds = f"{tr('Backups')} (*.sqlite)"
        path, _ = QFileDialog.getSaveFileName(parent, tr("Save a copy"), name, kinds)
        return path if not path or path.endswith(".sqlite") else f"{path}.sqlite"


class BackupChoice:
    """Choosing a backup that lies elsewhere."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        kinds = f"{tr('Backups')} (*.sqlite);;{tr('All files')} (*)"
        path, _ = QFileDialog.getOpenFileName(parent, tr("Restore a backup"), "", kinds)
        return path


class BackupsForm(QWidget):
    """A list of backups with what can be done with them.

    Signals:
        create_requested: A backup now; path, "" for the folder of backups.
        examine_requested: path; it shall be read whole before a person is asked.
        restore_requested: path; confirmed.
        remove_requested: path; confirmed.
    """

    create_requested = Signal(str)
    examine_requested = Signal(str)
    restore_requested = Signal(str)
    remove_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: Sequence[BackupRow] = ()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setProperty("muted", True)
        self.list = QListWidget()
        self.list.setObjectName("plain_list")
        self.list.setFixedHeight(_LIST_HEIGHT)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.create_button = QPushButton()
        self.copy_button = QPushButton()
        self.restore_button = QPushButton()
        self.other_button = QPushButton()
        self.remove_button = QPushButton()
        self._buttons = (
            self.create_button,
            self.restore_button,
            self.remove_button,
            self.copy_button,
            self.other_button,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.words)
        column.addWidget(self.list)
        flow = FlowLayout(theme.SPACING)
        for button in self._buttons:
            button.setAutoDefault(False)
            flow.addWidget(button)
        column.addLayout(flow)
        self.create_button.clicked.connect(lambda: self.create_requested.emit(""))
        self.copy_button.clicked.connect(self._on_copy)
        self.restore_button.clicked.connect(self._on_restore)
        self.other_button.clicked.connect(self._on_other)
        self.remove_button.clicked.connect(self._on_remove)
        self.list.itemSelectionChanged.connect(self._show_buttons)
        self.list.itemActivated.connect(lambda _item: self._on_restore())
        self._retranslate()

    def set_backups(self, rows: Sequence[BackupRow]) -> None:
        """Show these, the newest first."""
        self._rows = rows
        chosen = self._chosen()
        now = datetime.now(UTC)
        self.list.clear()
        for row in rows:
            local = row.made_at.astimezone()
            day = formats.moment(row.made_at, now)
            time = f"{local:%H:%M}"
            when = day if day == time else f"{day}, {time}"
            said = f"{when}  ·  {words.backup_kind(row)}  ·  {formats.size(row.size_bytes)}"
            item = QListWidgetItem(said)
            item.setToolTip(row.path)
            item.setData(_PATH, row.path)
            self.list.addItem(item)
            item.setSelected(row.path == chosen)
        for widget in (self.list, self.restore_button, self.remove_button):
            widget.setVisible(bool(rows))
        self._say()
        self._show_buttons()

    def set_busy(self, is_busy: bool) -> None:
        """While a backup is made or read nothing else begins."""
        for button in self._buttons:
            button.setEnabled(not is_busy)
        if not is_busy:
            self._show_buttons()

    def confirm(self, content: BackupContent) -> None:
        """A backup that was read whole: ask whether it shall take the place of what is here."""
        now = datetime.now(UTC)
        if Question.ask(
            self,
            tr("Restore this backup?"),
            words.holds(content, now)
            + "\n\n"
            + tr(
                "Everything that is here now (conversations, settings, the list of models) is kept as another"
                " backup, so you can come back. What was written since is no longer shown. The window closes"
                " and opens again; answers and downloads that run are stopped."
            ),
            tr("Restore it"),
        ):
            self.restore_requested.emit(content.path)

    def _chosen(self) -> str:
        items = self.list.selectedItems()
        return str(items[0].data(_PATH)) if items else ""

    def _on_copy(self) -> None:
        if path := CopyFile.ask(self):
            self.create_requested.emit(path)

    def _on_restore(self) -> None:
        if path := self._chosen():
            self.examine_requested.emit(path)

    def _on_other(self) -> None:
        if path := BackupChoice.ask(self):
            self.examine_requested.emit(path)

    def _on_remove(self) -> None:
        path = self._chosen()
        if path and Question.ask(
            self,
            tr("Delete this backup?"),
            tr("The file is deleted for good. What is in the program now stays as it is."),
            tr("Delete for good"),
        ):
            self.remove_requested.emit(path)

    def _show_buttons(self) -> None:
        self.restore_button.setEnabled(bool(self._chosen()))
        self.remove_button.setEnabled(bool(self._chosen()))

    def _say(self) -> None:
        if self._rows:
            self.words.setText(
                tr("Whole copies of all conversations and settings; keep one on another disk, too.")
            )
        else:
            self.words.setText(tr("There is no backup yet."))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.list.setAccessibleName(tr("Backups"))
        self.create_button.setText(tr("Back up now"))
        self.copy_button.setText(tr("Save a copy…"))
        self.restore_button.setText(tr("Restore…"))
        self.other_button.setText(tr("Restore a file…"))
        self.remove_button.setText(tr("Delete…"))
        self.set_backups(self._rows)
