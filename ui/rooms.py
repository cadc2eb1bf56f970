"""The dialogs beside the window: made when first opened, filled with the newest values from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QDialog, QWidget

from model_manager.types import DownloadSnapshot, ModelEntry
from ui.values import ConversationSettings

if TYPE_CHECKING:
    from ui.library.downloads_dialog import DownloadsDialog
    from ui.library.models_dialog import ModelsDialog
    from ui.settings.settings_dialog import SettingsDialog


class Rooms(QObject):
    """Owns the dialogs; their modules are imported at their first opening, so that the window starts fast.

    Signals:
        All are those of `MainWindow` with the same names.
    """

    import_model_requested = Signal(str)
    verify_model_requested = Signal(str)
    remove_model_requested = Signal(str)
    download_requested = Signal(str)
    download_paused = Signal(object)
    download_resumed = Signal(object)
    download_cancelled = Signal(object)
    conversation_settings_changed = Signal(object)
    setting_changed = Signal(str, object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._models: ModelsDialog | None = None
        self._downloads: DownloadsDialog | None = None
        self._settings: SettingsDialog | None = None
        self._entries: Sequence[ModelEntry] = ()
        self._snapshots: Sequence[DownloadSnapshot] = ()
        self._values: Mapping[str, Any] = {}

    # --- values in ---

    def set_models(self, entries: Sequence[ModelEntry]) -> None:
        """What the library holds."""
        self._entries = entries
        if self._models is not None:
            self._models.set_models(entries)

    def set_model_progress(self, name: str, permille: int | None) -> None:
        """How far the verification of a model has come; None when it has ended."""
        if self._models is not None:
            self._models.set_progress(name, permille)

    def set_downloads(self, snapshots: Sequence[DownloadSnapshot]) -> None:
        """All downloads at this moment."""
        self._snapshots = snapshots
        if self._downloads is not None:
            self._downloads.set_downloads(snapshots)

    def set_settings(self, values: Mapping[str, Any]) -> None:
        """All settings by key."""
        self._values = values
        if self._settings is not None:
            self._settings.set_values(values)

    # --- doors ---

    def open_models(self) -> None:
        """Show the library."""
        if self._models is None:
            from ui.library.models_dialog import ModelsDialog

            self._models = ModelsDialog(self._window)
            self._models.import_requested.connect(self.import_model_requested)
            self._models.verify_requested.connect(self.verify_model_requested)
            self._models.remove_requested.connect(self.remove_model_requested)
            self._models.downloads_requested.connect(self.open_downloads)
            self._models.set_models(self._entries)
        _show(self._models)

    def open_downloads(self) -> None:
        """Show the downloads."""
        if self._downloads is None:
            from ui.library.downloads_dialog import DownloadsDialog

            self._downloads = DownloadsDialog(self._window)
            self._downloads.download_requested.connect(self.download_requested)
            self._downloads.pause_requested.connect(self.download_paused)
            self._downloads.resume_requested.connect(self.download_resumed)
            self._downloads.cancel_requested.connect(self.download_cancelled)
            self._downloads.set_downloads(self._snapshots)
        _show(self._downloads)

    def open_settings(self) -> None:
        """Show the settings."""
        if self._settings is None:
            from ui.settings.settings_dialog import SettingsDialog

            self._settings = SettingsDialog(self._window)
            self._settings.setting_changed.connect(self.setting_changed)
            self._settings.set_values(self._values)
        _show(self._settings)

    def open_conversation_settings(self, values: ConversationSettings) -> None:
        """Show the settings of a conversation; made anew each time, because they belong to it."""
        from ui.chat.conversation_settings import ConversationSettingsDialog

        dialog = ConversationSettingsDialog(values, self._values.get("sampling_defaults") or {}, self._window)
        dialog.changed.connect(self.conversation_settings_changed)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def open_dialogs(self) -> list[QDialog]:
        """Those that were made so far."""
        made: tuple[QDialog | None, ...] = (self._models, self._downloads, self._settings)
        return [dialog for dialog in made if dialog is not None]

    def close_all(self) -> None:
        """The window closes, and they with it."""
        for dialog in self.open_dialogs():
            dialog.close()


def _show(dialog: QDialog) -> None:
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
