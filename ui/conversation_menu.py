"""What can be done with one conversation, in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from storage.records import Conversation
from ui import icons
from ui.i18n import tr
from ui.name_dialog import NameDialog
from ui.values import Choices, Shelving, ShelvingAction

_WIDEST_PX = 320


class ConversationMenu(QMenu):
    """A menu that is made for a conversation when it is opened, and is gone afterwards.

    Signals:
        rename_requested, export_requested, trash_requested: What was chosen.
        shelved: Shelving.
    """

    rename_requested = Signal()
    export_requested = Signal()
    trash_requested = Signal()
    shelved = Signal(object)

    def __init__(self, conversation: Conversation, choices: Choices, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._conversation = conversation
        self._ask_from = parent
        rename = self._add(self, tr("Rename"), self.rename_requested.emit, "pencil")
        rename.setShortcut(Qt.Key.Key_F2)
        if conversation.is_pinned:
            self._add(self, tr("Unpin"), lambda: self._shelve("unpin"), "pin")
        else:
            self._add(self, tr("Pin"), lambda: self._shelve("pin"), "pin")
        self._add_folders(choices)
        self._add_tags(choices)
        if conversation.archived_at is None:
            self._add(self, tr("Archive"), lambda: self._shelve("archive"), "archive")
        else:
            self._add(self, tr("Unarchive"), lambda: self._shelve("unarchive"), "archive")
        self.addSeparator()
        self._add(self, tr("Export…"), self.export_requested.emit, "export")
        trash = self._add(self, tr("Move to the trash"), self.trash_requested.emit, "trash")
        trash.setShortcut(QKeySequence.StandardKey.Delete)

    def _add_folders(self, choices: Choices) -> None:
        menu = self.addMenu(icons.icon("folder"), tr("Move to a folder"))
        here = self._conversation.folder
        for path in choices.folders:
            self._add_checkable(menu, path, path == here, partial(self._shelve, "move", path))
        if choices.folders:
            menu.addSeparator()
        self._add_checkable(menu, tr("No folder"), not here, lambda: self._shelve("move"))
        self._add(menu, tr("New folder…"), self._on_new_folder, "plus")

    def _add_tags(self, choices: Choices) -> None:
        menu = self.addMenu(icons.icon("tag"), tr("Tags"))
        mine = {tag.casefold() for tag in self._conversation.tags}
        for name in dict.fromkeys((*choices.tags, *self._conversation.tags)):
            has = name.casefold() in mine
            action: ShelvingAction = "untag" if has else "tag"
            self._add_checkable(menu, name, has, partial(self._shelve, action, name))
        if not menu.isEmpty():
            menu.addSeparator()
        self._add(menu, tr("New tag…"), self._on_new_tag, "plus")

    def _add(self, menu: QMenu, words: str, do: Callable[[], object], icon: str) -> QAction:
        action = menu.addAction(icons.icon(icon), words)
        action.triggered.connect(lambda _checked=False: do())
        return action

    def _add_checkable(self, menu: QMenu, name: str, is_on: bool, do: Callable[[], object]) -> None:
        shown = menu.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, _WIDEST_PX)
        action = menu.addAction(shown.replace("&", "&&"))
        action.setToolTip(name)
        action.setCheckable(True)
        action.setChecked(is_on)
        action.triggered.connect(lambda _checked=False: do())

    def _shelve(self, action: ShelvingAction, name: str = "") -> None:
        self.shelved.emit(Shelving(self._conversation.id, action, name))

    def _on_new_folder(self) -> None:
        if path := NameDialog.ask(self._ask_from, tr("New folder"), tr("Work/Models")):
            self._shelve("move", path)

    def _on_new_tag(self) -> None:
        if name := NameDialog.ask(self._ask_from, tr("New tag")):
            self._shelve("tag", name)
