"""What was thrown away: to be restored, or deleted for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QEvent, QItemSelectionModel, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from storage.records import Conversation
from ui import formats, theme
from ui.conversation_list import shown_title
from ui.i18n import tr, trn
from ui.question import Question


class TrashDialog(QDialog):
    """A list of conversations with when they were thrown away.

    Attributes:
        words: Says what becomes of them.

    Signals:
        restore_requested, delete_requested: Tuple of ids; deletion was confirmed.
        erase_requested: Tuple of ids that shall be deleted without a trace in the file; confirmed.
    """

    restore_requested = Signal(object)
    delete_requested = Signal(object)
    erase_requested = Signal(object)

    def __init__(self, days: int, parent: QWidget | None = None) -> None:
        """Make it, still empty.

        Args:
            days: After which what lies in the trash is deleted by itself; 0 for never.
            parent: The window.
        """
        super().__init__(parent)
        self._conversations: Sequence[Conversation] = ()
        self._days = days
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.list = QListWidget()
        self.list.setObjectName("dialog_rows")
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setSpacing(1)
        self.restore_button = QPushButton()
        self.delete_button = QPushButton()
        self.empty_button = QPushButton()
        self.close_button = QPushButton()
        for button in (self.restore_button, self.delete_button, self.empty_button, self.close_button):
            button.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.restore_button)
        buttons.addWidget(self.delete_button)
        buttons.addStretch(1)
        buttons.addWidget(self.empty_button)
        buttons.addWidget(self.close_button)
        page = QVBoxLayout(self)
        page.setContentsMargins(20, 16, 20, 16)
        page.setSpacing(theme.SPACING)
        page.addWidget(self.words)
        page.addWidget(self.list, 1)
        page.addLayout(buttons)
        self.resize(620, 420)
        self.setMinimumSize(440, 260)
        self.list.itemSelectionChanged.connect(self._show_buttons)
        self.list.itemActivated.connect(lambda _item: self._on_restore())
        self.restore_button.clicked.connect(self._on_restore)
        self.delete_button.clicked.connect(self._on_delete)
        self.empty_button.clicked.connect(self._on_empty)
        self.close_button.clicked.connect(self.close)
        self.retranslate()

    def set_conversations(self, conversations: Sequence[Conversation]) -> None:
        """Show these, in this order."""
        self._conversations = conversations
        chosen = self._chosen()
        now = datetime.now(UTC)
        self.list.clear()
        for conversation in conversations:
            when = formats.moment(conversation.deleted_at, now) if conversation.deleted_at else ""
            # The time first: a long title is cut at its end.
            item = QListWidgetItem(f"{when}  ·  {shown_title(conversation)}")
            item.setToolTip(shown_title(conversation))
            item.setData(Qt.ItemDataRole.UserRole, conversation.id)
            self.list.addItem(item)
            item.setSelected(conversation.id in chosen)
        if conversations and not self.list.selectedItems():
            self.list.setCurrentRow(0, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._say()
        self._show_buttons()

    def _chosen(self) -> tuple[int, ...]:
        return tuple(int(item.data(Qt.ItemDataRole.UserRole)) for item in self.list.selectedItems())

    def _on_restore(self) -> None:
        if chosen := self._chosen():
            self.restore_requested.emit(chosen)

    def _on_delete(self) -> None:
        self._delete(self._chosen())

    def _on_empty(self) -> None:
        self._delete(tuple(conversation.id for conversation in self._conversations))

    def _delete(self, ids: tuple[int, ...]) -> None:
        if not ids:
            return
        chosen = Question.ask_which(
            self,
            trn("Delete {n} conversation?", "Delete {n} conversations?", len(ids)),
            tr("All messages and versions are deleted for good.")
            + " "
            + tr(
                "Single words can stay readable in the file until it is compacted; erasing does that at once,"
                " takes longer, and names the backups that still hold them."
            ),
            [tr("Delete for good"), tr("Delete and erase")],
        )
        if chosen is not None:
            (self.delete_requested, self.erase_requested)[chosen].emit(ids)

    def _show_buttons(self) -> None:
        self.restore_button.setEnabled(bool(self._chosen()))
        self.delete_button.setEnabled(bool(self._chosen()))
        self.empty_button.setEnabled(bool(self._conversations))

    def _say(self) -> None:
        if not self._conversations:
            self.words.setText(tr("The trash is empty."))
        elif self._days:
            self.words.setText(
                trn(
                    "What lies here for {n} day is deleted by itself.",
                    "What lies here for {n} days is deleted by itself.",
                    self._days,
                )
            )
        else:
            self.words.setText(tr("What lies here stays until you delete it."))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def retranslate(self) -> None:
        """Write all words in the language in use."""
        self.setWindowTitle(tr("Trash"))
        self.list.setAccessibleName(tr("Trash"))
        self.restore_button.setText(tr("Restore"))
        self.delete_button.setText(tr("Delete for good"))
        self.empty_button.setText(tr("Empty the trash"))
        self.close_button.setText(tr("Close"))
        self._say()
