"""A word to who is not looking at the window: a notification of the desktop, where there is one."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QSystemTrayIcon, QWidget

from ui import icons


class Tray(QObject):
    """Tells the desktop while the window is in the background; its icon goes when that is seen again."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._icon: QSystemTrayIcon | None = None
        window.installEventFilter(self)

    def tell(self, title: str, sentence: str) -> bool:
        """Show a notification; False where nobody needs one, or the desktop has no place for it."""
        if self._window.isActiveWindow() or not QSystemTrayIcon.isSystemTrayAvailable():
            return False
        if self._icon is None:
            self._icon = QSystemTrayIcon(icons.icon("coterie", "accent"), self)
            self._icon.setToolTip("Coterie")
            self._icon.messageClicked.connect(self._raise)
            self._icon.activated.connect(lambda _reason: self._raise())
        self._icon.show()
        self._icon.showMessage(title, sentence, icons.icon("coterie", "accent"))
        return True

    def _raise(self) -> None:
        self._window.showNormal() if self._window.isMinimized() else self._window.show()
        self._window.raise_()
        self._window.activateWindow()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate and self._icon is not None:
            self._icon.hide()
        return False
