"""What the keyboard and the menu can do, in one table: words, shortcut, and what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from ui.i18n import tr


@dataclass(frozen=True, slots=True)
class Command:
    """One entry; a `name` of "" is a separator line.

    Attributes:
        name: English, marked for translation.
        shortcuts: The first is shown in the menu.
        in_menu: False for what only the keyboard needs.
    """

    name: str
    shortcuts: tuple[str, ...] = ()
    do: Callable[[], object] | None = None
    in_menu: bool = True


class Commands:
    """Actions of a window: their shortcuts work everywhere in it, and the menu lists them."""

    def __init__(self, window: QWidget, table: list[Command]) -> None:
        self._window = window
        self._entries = [(command, self._action_of(command)) for command in table]
        self.retranslate()

    def insert(self, before: str, table: list[Command]) -> None:
        """Add commands before one that is there, named in English."""
        place = next(n for n, (command, _) in enumerate(self._entries) if command.name == before)
        self._entries[place:place] = [(command, self._action_of(command)) for command in table]
        self.retranslate()

    def _action_of(self, command: Command) -> QAction:
        action = QAction(self._window)
        if command.do is None:
            action.setSeparator(True)
            return action
        action.setShortcuts([QKeySequence(keys) for keys in command.shortcuts])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.triggered.connect(lambda _checked=False, do=command.do: do())
        self._window.addAction(action)
        return action

    def action(self, name: str) -> QAction:
        """The action of a command by its English name."""
        return next(action for command, action in self._entries if command.name == name)

    def open_menu(self, where: QPoint) -> None:
        """Show all of them at a place on the screen."""
        menu = QMenu(self._window)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions([action for command, action in self._entries if command.in_menu])
        menu.popup(where)
        menu.setActiveAction(self._entries[0][1])

    def retranslate(self) -> None:
        """Write the words anew after a change of language."""
        for command, action in self._entries:
            action.setText(tr(command.name) if command.name else "")
