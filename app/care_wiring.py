"""Wires the dialog about backups and space to its controller; made when it is first opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.bridge import Bridge
from app.controllers.care import OPEN, STOP, CareController
from app.services import Services
from app.words import notice_for
from ui.commands import Command
from ui.i18n import marked
from ui.main_window import MainWindow
from ui.values import Notice

if TYPE_CHECKING:
    from ui.care.care_dialog import CareDialog


class CareWiring(QObject):
    """Lives on the Qt thread.

    Attributes:
        restore_from: What shall take the database's place once everything is closed; None for nothing.
    """

    def __init__(self, window: MainWindow, services: Services, bridge: Bridge, parent: QObject) -> None:
        super().__init__(parent)
        self.restore_from: Path | None = None
        self._window = window
        self._services = services
        self._dialog: CareDialog | None = None
        self.controller = CareController(services, bridge, self)
        self.controller.told.connect(self._tell)
        # What goes wrong here is tried again with the same button that was pressed.
        self.controller.failed.connect(
            lambda error: self._tell(replace(notice_for(error), action="", action_id=""))
        )
        commands = [Command(marked("Backups and space…"), (), self.open)]
        window.commands.insert("Export conversation…", commands)
        window.notice_action_requested.connect(self._on_action)

    def open(self) -> None:
        """Show the dialog, with everything read anew."""
        if self._dialog is None:
            self._dialog = self._made()
        self._dialog.set_values(self._services.settings())
        self._dialog.notice_bar.show_notice(None)
        self._dialog.space.set_space(None)
        self.controller.look()
        self._dialog.show()
        self._dialog.raise_()
        self._dialog.activateWindow()

    def close(self) -> None:
        """The window closes."""
        self.controller.stop()
        if self._dialog is not None:
            self._dialog.close()

    def _made(self) -> CareDialog:
        from ui.care.care_dialog import CareDialog  # so that the window starts fast

        dialog, controller = CareDialog(self._window), self.controller
        dialog.setting_changed.connect(self._window.setting_changed)
        dialog.notice_bar.action_requested.connect(self._on_action)
        dialog.backups.create_requested.connect(controller.back_up)
        dialog.backups.examine_requested.connect(controller.examine)
        dialog.backups.remove_requested.connect(controller.remove)
        dialog.backups.restore_requested.connect(self._restore)
        dialog.space.compact_requested.connect(controller.compact)
        dialog.space.stop_requested.connect(controller.stop)
        controller.listed.connect(dialog.backups.set_backups)
        controller.measured.connect(dialog.space.set_space)
        controller.examined.connect(dialog.backups.confirm)
        controller.progressed.connect(dialog.space.set_progress)
        controller.busy_changed.connect(dialog.backups.set_busy)
        return dialog

    def _on_action(self, action_id: str) -> None:
        if action_id == OPEN:
            self.open()
        elif action_id == STOP:
            self.controller.stop()

    def _restore(self, path: str) -> None:
        self.restore_from = Path(path)
        self._window.close()

    def _tell(self, notice: Notice | None) -> None:
        """Where the person looks: in the dialog while it is open."""
        if self._dialog is not None and self._dialog.isVisible():
            self._dialog.notice_bar.show_notice(notice)
        elif notice is not None:
            self._window.show_notice(notice)
