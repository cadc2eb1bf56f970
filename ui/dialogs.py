"""The dialogs over the window: made when first opened, filled with the newest values from then on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QDialog, QWidget

from ui.values import ConversationSettings

if TYPE_CHECKING:
    from ui.settings.settings_dialog import SettingsDialog


class Dialogs(QObject):
    """Owns the dialogs; their modules are imported at their first opening, so that the window starts fast.

    Signals:
        All are those of `MainWindow` with the same names.
    """

    conversation_settings_changed = Signal(object)
    setting_changed = Signal(str, object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._settings: SettingsDialog | None = None
        self._values: Mapping[str, Any] = {}

    def set_settings(self, values: Mapping[str, Any]) -> None:
        """All settings by key."""
        self._values = values
        if self._settings is not None:
            self._settings.set_values(values)

    def open_settings(self) -> None:
        """Show the settings."""
        if self._settings is None:
            from ui.settings.settings_dialog import SettingsDialog

            self._settings = SettingsDialog(self._window)
            self._settings.setting_changed.connect(self.setting_changed)
            self._settings.set_values(self._values)
        self._settings.show()
        self._settings.raise_()
        self._settings.activateWindow()

    def open_conversation_settings(self, values: ConversationSettings) -> None:
        """Show the settings of a conversation; made anew each time, because they belong to it."""
        from ui.chat.conversation_settings import ConversationSettingsDialog

        dialog = ConversationSettingsDialog(values, self._values.get("sampling_defaults") or {}, self._window)
        dialog.changed.connect(self.conversation_settings_changed)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def all_open(self) -> list[QDialog]:
        """Those that were made so far."""
        return [self._settings] if self._settings is not None else []

    def tell_language_changed(self) -> None:
        """The window and its dialogs, and all that is in them, write their words anew."""
        for top in (self._window, *self.all_open()):
            for widget in (top, *top.findChildren(QWidget)):
                widget.changeEvent(QEvent(QEvent.Type.LanguageChange))

    def close_all(self) -> None:
        """The window closes, and they with it."""
        for dialog in self.all_open():
            dialog.close()
