"""The window's composition root: opens the services, makes the window, wires the two, runs Qt's loop."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QEventLoop, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from app.bridge import Bridge
from app.care import newest_sound
from app.cli.runner import relay_runner
from app.controllers.care import OPEN
from app.lifecycle import SystemSignals, report_uncaught, settle_memory
from app.owner import Owner
from app.paths import Paths
from app.services import Services
from app.upgrading import SILENT_S, Upgrading
from app.upkeep import look_after
from app.window import WindowWiring
from app.words import notice_for, sentence
from storage.backups import Backups
from storage.errors import DatabaseCorrupt, StorageError
from storage.upgrading import is_behind
from ui.care.values import BackupContent
from ui.care.way_back import WayBack
from ui.i18n import set_language, tr
from ui.main_window import MainWindow
from ui.upgrade_dialog import UpgradeDialog
from ui.values import Notice

log = logging.getLogger(__name__)

_SETTLE_AFTER_MS = 2000
_UPGRADE_MS = 100


def run(paths: Paths, owner: Owner, _arguments: argparse.Namespace) -> int:
    """Show the window until it is closed; returns the exit code."""
    QGuiApplication.setDesktopFileName("coterie")
    QApplication.setApplicationName("Coterie")
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    # Qt asks to close the windows when the session ends, but its loop ends only with the last of them.
    app.setQuitOnLastWindowClosed(True)
    backups = Backups(paths.database)
    notice: Notice | None = None
    while True:
        try:
            wanted = _show(app, paths, owner, notice)
        except StorageError as error:
            set_language("system")
            log.info("cannot open the data: %s", error)
            sys.stderr.write(f"coterie: {sentence(error)}\n")
            found = _way_back(backups, error)
            if found is None:
                return 1
            wanted = Path(found.path)
        if wanted is None:
            return 0
        notice = _put_back(backups, wanted)


def _show(app: QApplication, paths: Paths, owner: Owner, notice: Notice | None) -> Path | None:
    """One life of the window; returns the backup that a person wants in the database's place, if any.

    Raises:
        StorageError: The data cannot be opened.
    """
    _upgrade(paths.database)
    services = Services(paths, owner.runtime_dir)
    ended = threading.Event()
    bridge = Bridge()
    window = MainWindow()
    wiring = WindowWiring(window, services, bridge)
    report_uncaught(lambda error: bridge.post(lambda: wiring.show_error(error)))
    signals = SystemSignals(window.close)
    window.closing.connect(wiring.end)
    wiring.begin()
    if notice is not None:
        window.show_notice(notice)
    window.show()
    run_relayed = relay_runner(services, lambda: bridge.post(wiring.look_again))
    owner.control.serve(run_relayed, lambda: bridge.post(lambda: _raise(window)))
    QTimer.singleShot(0, window, lambda: log.info("window ready"))
    QTimer.singleShot(_SETTLE_AFTER_MS, window, settle_memory)
    QTimer.singleShot(_SETTLE_AFTER_MS, window, lambda: look_after(services, ended))
    try:
        app.exec()
    finally:
        ended.set()
        signals.close()
        wanted = wiring.care.restore_from
        if wanted is None:
            owner.control.close()
        else:
            owner.control.rest()
        bridge.close()
        services.close()
        window.page.transcript.workshop.close()
        window.deleteLater()
        log.info("ended")
    return wanted


def _upgrade(path: Path) -> None:
    """Bring a database up to date, and show how far it is where that takes a while.

    Raises:
        StorageError: It could not be done; nothing was changed.
    """
    if not is_behind(path):
        return
    set_language("system")  # the setting is in there
    loop, dialog, timer = QEventLoop(), UpgradeDialog(), QTimer()
    bridge = Bridge()
    upgrading = Upgrading(path, lambda: bridge.post(loop.quit))
    began = QElapsedTimer()
    began.start()

    def show() -> None:
        dialog.set_progress(upgrading.permille)
        if began.hasExpired(int(SILENT_S * 1000)):
            dialog.show()

    timer.timeout.connect(show)
    timer.start(_UPGRADE_MS)
    loop.exec()
    timer.stop()
    dialog.hide()
    dialog.deleteLater()
    bridge.close()
    if upgrading.error is not None:
        raise upgrading.error


def _way_back(backups: Backups, error: StorageError) -> BackupContent | None:
    """The database cannot be opened: offer the newest backup that can; None where there is none, or a no."""
    if isinstance(error, DatabaseCorrupt) and (found := newest_sound(backups)) is not None:
        return found if WayBack.ask(str(error.path), found) else None
    QMessageBox.critical(None, "Coterie", sentence(error))
    return None


def _put_back(backups: Backups, path: Path) -> Notice:
    """Restore, with everything closed; returns what there is to tell."""
    try:
        replaced = backups.restore(path)
    except (StorageError, OSError) as error:
        log.info("cannot restore %s: %s", path, error)
        return notice_for(error)
    log.info("%s is in place; what was there is %s", path, replaced)
    words = tr("The backup is in place.")
    if replaced is not None:
        words += " " + tr("What was here before is kept among the backups.")
    return Notice("info", words, tr("Show the backups"), OPEN)


def _raise(window: MainWindow) -> None:
    window.showNormal() if window.isMinimized() else window.show()
    window.raise_()
    window.activateWindow()
