"""Buttons that show an icon and still have a name, for people who see and for people who listen."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QToolButton, QWidget

from ui import icons


class IconButton(QToolButton):
    """A flat button with an icon alone; its name is its tool tip and its accessible name."""

    def __init__(self, icon_name: str, parent: QWidget | None = None, *, role: str = "text") -> None:
        super().__init__(parent)
        self.setIcon(icons.icon(icon_name, role))
        self.setIconSize(QSize(20, 20))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)

    def set_name(self, name: str, shortcut: str = "") -> None:
        """Say what it does; the shortcut is shown, not set."""
        self.setAccessibleName(name)
        self.setToolTip(f"{name}  ({shortcut})" if shortcut else name)


class RowButton(QToolButton):
    """A flat button as wide as its column: an icon and words beside it."""

    def __init__(self, icon_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("row_button")
        self.setIcon(icons.icon(icon_name, "text_muted"))
        self.setIconSize(QSize(18, 18))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = self.sizePolicy()
        policy.setHorizontalPolicy(policy.Policy.Expanding)
        self.setSizePolicy(policy)

    def set_words(self, words: str) -> None:
        """Label it; Qt leaves no gap after the icon, two spaces do."""
        self.setText(f"  {words}")
        self.setAccessibleName(words)
