"""The line above a conversation: its title, its settings, and the model that answers."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from ui import theme
from ui.buttons import IconButton
from ui.chat.model_picker import ModelPicker
from ui.i18n import tr
from ui.labels import ElidedLabel


class Header(QWidget):
    """Slim, and always there.

    Signals:
        sidebar_toggled: The side bar is to be shown or hidden.
        settings_requested: Those of this conversation.
        menu_requested: Where on the screen: what else can be done with this conversation.
    """

    sidebar_toggled = Signal()
    settings_requested = Signal()
    menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.sidebar_button = IconButton("sidebar", role="text_muted")
        self.title_label = ElidedLabel()
        self.settings_button = IconButton("tune", role="text_muted")
        self.menu_button = IconButton("more", role="text_muted")
        self.picker = ModelPicker()
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.SPACING, theme.SPACING, 12, theme.SPACING)
        row.setSpacing(theme.SPACING)
        row.addWidget(self.sidebar_button)
        row.addWidget(self.title_label, 1)
        row.addWidget(self.settings_button)
        row.addWidget(self.menu_button)
        row.addWidget(self.picker)
        self.sidebar_button.clicked.connect(self.sidebar_toggled)
        self.settings_button.clicked.connect(self.settings_requested)
        self.menu_button.clicked.connect(self.open_menu)
        self._retranslate()

    def set_title(self, title: str) -> None:
        """Show the title of the conversation."""
        self.title_label.setText(title)

    def set_stored(self, is_stored: bool) -> None:
        """Whether the conversation is in the list yet: with a fresh one there is nothing to be done."""
        self.menu_button.setEnabled(is_stored)

    def open_menu(self) -> None:
        """Ask for the menu below its button."""
        if self.menu_button.isEnabled():
            self.menu_requested.emit(self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange or event.type() == QEvent.Type.FontChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.title_label.setFont(theme.font(1.05, self.title_label.font().Weight.DemiBold))
        self.sidebar_button.set_name(tr("Show or hide the side bar"), "Ctrl+B")
        self.settings_button.set_name(tr("Settings of this conversation"), "Ctrl+Shift+,")
        self.menu_button.set_name(tr("More for this conversation"), "Ctrl+Shift+M")
