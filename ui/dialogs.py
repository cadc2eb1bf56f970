"""The dialogs over the window: made when first opened, filled with the newest values from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QDialog, QWidget

from model_manager.types import RequestRecord
from ui.values import ConversationSettings

if TYPE_CHECKING:
    from ui.settings.network_form import TokenSource
    from ui.settings.requests_dialog import RequestsDialog
    from ui.settings.settings_dialog import SettingsDialog


class Dialogs(QObject):
    """Owns the dialogs; their modules are imported at their first opening, so that the window starts fast.

    Signals:
        conversation_settings_changed, setting_changed: Those of `MainWindow` with the same names.
        requests_wanted: The log of requests is to be read.
        token_wanted: Whether the hub has a token is about to be seen.
        token_given: An access token for the hub.
        token_forgotten: The kept token is to be removed.
    """

    conversation_settings_changed = Signal(object)
    setting_changed = Signal(str, object)
    requests_wanted = Signal()
    token_wanted = Signal()
    token_given = Signal(str)
    token_forgotten = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._settings: SettingsDialog | None = None
        self._requests: RequestsDialog | None = None
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
            network = self._settings.network
            network.token_given.connect(self.token_given)
            network.token_forgotten.connect(self.token_forgotten)
            network.requests_wanted.connect(self.open_requests)
        self.token_wanted.emit()
        self._settings.show()
        self._settings.raise_()
        self._settings.activateWindow()

    def set_token(self, source: TokenSource, host: str) -> None:
        """Whether the hub has a token, and where it is."""
        if self._settings is not None:
            self._settings.network.set_token(source, host)

    def open_requests(self) -> None:
        """Show the log of requests."""
        if self._requests is None:
            from ui.settings.requests_dialog import RequestsDialog

            self._requests = RequestsDialog(self._window)
            self._requests.refresh_wanted.connect(self.requests_wanted)
        self.requests_wanted.emit()
        self._requests.show()
        self._requests.raise_()
        self._requests.activateWindow()

    def set_requests(
        self, records: Sequence[RequestRecord], is_offline: bool, hosts: tuple[str, ...]
    ) -> None:
        """The last requests, the oldest first; whether the door is closed; who may be asked."""
        if self._requests is not None:
            self._requests.set_requests(records, is_offline, hosts)

    def open_conversation_settings(
        self, values: ConversationSettings, recommended: Mapping[str, int | float]
    ) -> None:
        """Show the settings of a conversation; made anew each time, because they belong to it.

        Args:
            values: As they are.
            recommended: What holds of its model's makers where neither it nor the settings say otherwise.
        """
        from ui.chat.conversation_settings import ConversationSettingsDialog

        dialog = ConversationSettingsDialog(
            values, {**recommended, **(self._values.get("sampling_defaults") or {})}, self._window
        )
        dialog.changed.connect(self.conversation_settings_changed)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def all_open(self) -> list[QDialog]:
        """Those that were made so far."""
        return [dialog for dialog in (self._settings, self._requests) if dialog is not None]

    def tell_language_changed(self) -> None:
        """The window and its dialogs, and all that is in them, write their words anew."""
        for top in (self._window, *self.all_open()):
            for widget in (top, *top.findChildren(QWidget)):
                widget.changeEvent(QEvent(QEvent.Type.LanguageChange))

    def close_all(self) -> None:
        """The window closes, and they with it."""
        for dialog in self.all_open():
            dialog.close()
