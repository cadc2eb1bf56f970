"""Which collection of documents a conversation is answered from."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from ui import icons
from ui.i18n import tr, trn
from ui.knowledge.values import CollectionRow

_BUTTON_PX = 180
_MENU_PX = 320


class CollectionButton(QToolButton):
    """A button that names the collection, with a menu that chooses another.

    Signals:
        chosen: Name of a collection; "" for none.
        dialog_requested: Collections are to be made or changed.
    """

    chosen = Signal(str)
    dialog_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("collection_button")
        self.setIconSize(QSize(16, 16))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._collections: Sequence[CollectionRow] = ()
        self._name = ""
        self._group = QActionGroup(self)
        self._menu = QMenu(self)
        self.setMenu(self._menu)
        self._menu.aboutToShow.connect(self._fill)
        self._refresh()

    def set_collections(self, collections: Sequence[CollectionRow]) -> None:
        """What there is to choose from."""
        self._collections = collections

    def set_name(self, name: str) -> None:
        """Show which one is used; "" for none."""
        self._name = name
        self._refresh()

    def _fill(self) -> None:
        self._menu.clear()
        self._add(tr("Answer without documents"), "")
        for row in self._collections:
            count = trn("{n} document", "{n} documents", row.n_documents)
            self._add(f"{self._shown(row.name, _MENU_PX)} · {count}", row.name)
        self._menu.addSeparator()
        self._menu.addAction(tr("Documents…"), self.dialog_requested.emit)

    def _add(self, text: str, name: str) -> QAction:
        action = self._menu.addAction(text)
        action.setCheckable(True)
        action.setActionGroup(self._group)
        action.setChecked(name == self._name)
        action.triggered.connect(lambda _checked=False: self._choose(name))
        return action

    def _choose(self, name: str) -> None:
        self.set_name(name)
        self.chosen.emit(name)

    def _refresh(self) -> None:
        self.setText(self._shown(self._name, _BUTTON_PX) or tr("Documents"))
        self.setIcon(icons.icon("folder", "accent" if self._name else "text_muted"))
        self.setAccessibleName(tr("Documents: {choice}", choice=self._name or tr("none")))
        self.setToolTip(tr("Passages of your documents that answers are taken from, with their numbers"))

    def _shown(self, name: str, width_px: int) -> str:
        """As much of a name as there is room for; an ampersand is no shortcut."""
        return self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, width_px).replace("&", "&&")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._refresh()
