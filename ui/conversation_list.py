"""The conversations as an item model: titles under headings of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from storage.records import Conversation
from ui import formats
from ui.i18n import tr

Index = QModelIndex | QPersistentModelIndex
Row = str | Conversation
"""A heading, or a conversation below it."""

ROOT = QModelIndex()


class ConversationList(QAbstractListModel):
    """Rows are headings (Today, Yesterday, ...) and conversations, newest first; more come as one scrolls.

    Signals:
        rename_requested: id, new title; nothing changes here until `set_conversations` brings it.
        more_requested: id of the last one; `add_conversations` brings what stands below it.
    """

    rename_requested = Signal(object, str)
    more_requested = Signal(object)

    ROW_ROLE = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._conversations: list[Conversation] = []
        self._has_more = False
        self._is_asking = False

    def set_conversations(
        self, conversations: Sequence[Conversation], now: datetime | None = None, *, has_more: bool = False
    ) -> None:
        """Show these, in this order; rows that only changed their words keep their place.

        Args:
            conversations: As the store lists them: those that are pinned, then the newest first.
            now: What "today" means; None takes the clock.
            has_more: Others stand below them.
        """
        self._conversations = list(conversations)
        self._has_more, self._is_asking = has_more, False
        rows = _grouped(conversations, now or datetime.now(UTC))
        if [_identity(row) for row in rows] == [_identity(row) for row in self._rows]:
            changed = [i for i, (old, new) in enumerate(zip(self._rows, rows, strict=True)) if old != new]
            self._rows = rows
            for i in changed:
                self.dataChanged.emit(self.index(i), self.index(i))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def add_conversations(self, after: int, more: Sequence[Conversation], has_more: bool) -> None:
        """Show more below the one that was the last when they were asked for, if it still is."""
        if not self._conversations or self._conversations[-1].id != after:
            return
        self._has_more, self._is_asking = has_more, False
        if not more:
            return
        rows = _grouped([self._conversations[-1], *more], datetime.now(UTC))[2:]
        self.beginInsertRows(ROOT, len(self._rows), len(self._rows) + len(rows) - 1)
        self._conversations += more
        self._rows += rows
        self.endInsertRows()

    def canFetchMore(self, _parent: Index) -> bool:
        return self._has_more and not self._is_asking

    def fetchMore(self, _parent: Index) -> None:
        if self.canFetchMore(ROOT):
            self._is_asking = True
            self.more_requested.emit(self._conversations[-1].id)

    def retranslate(self) -> None:
        """Write the headings anew after a change of language."""
        self.set_conversations(self._conversations, has_more=self._has_more)

    def conversation(self, index: Index) -> Conversation | None:
        """What a row stands for; None for a heading."""
        row = self._rows[index.row()] if index.isValid() else ""
        return row if isinstance(row, Conversation) else None

    def index_of(self, conversation_id: int | None) -> QModelIndex:
        """Where a conversation is; invalid when it is not here."""
        for i, row in enumerate(self._rows):
            if isinstance(row, Conversation) and row.id == conversation_id:
                return self.index(i)
        return QModelIndex()

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        if isinstance(self._rows[index.row()], str):
            return Qt.ItemFlag.ItemNeverHasChildren
        return (
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsEditable
            | Qt.ItemFlag.ItemNeverHasChildren
        )

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == self.ROW_ROLE:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return row if isinstance(row, str) else shown_title(row)
        if role == Qt.ItemDataRole.EditRole and isinstance(row, Conversation):
            return row.title
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(row, Conversation):
            lines = [shown_title(row), formats.moment(row.updated_at, datetime.now(UTC)), row.folder]
            return "\n".join(line for line in (*lines, " ".join(f"#{tag}" for tag in row.tags)) if line)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        conversation = self.conversation(index)
        title = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or conversation is None or title in ("", conversation.title):
            return False
        self.rename_requested.emit(conversation.id, title)
        return True


def shown_title(conversation: Conversation | None) -> str:
    """The title, or what stands for one that has none yet."""
    return (conversation.title.strip() if conversation else "") or tr("New conversation")


def _grouped(conversations: Sequence[Conversation], now: datetime) -> list[Row]:
    rows: list[Row] = []
    heading = ""
    for conversation in conversations:
        group = tr("Pinned") if conversation.is_pinned else formats.day_group(conversation.updated_at, now)
        if group != heading:
            heading = group
            rows.append(heading)
        rows.append(conversation)
    return rows


def _identity(row: Row) -> str | int:
    return row if isinstance(row, str) else row.id
