"""The window's composition root: opens the services, makes the window, wires the two, runs Qt's loop."""

from __future__ import annotations

import argparse
import logging
import sys

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from app.bridge import Bridge
from app.cli.runner import relay_runner
from app.lifecycle import SystemSignals, report_uncaught, settle_memory
from app.owner import Owner
from app.paths import Paths
from app.services import Services
from app.upkeep import look_after
from app.window import WindowWiring
from app.words import sentence
from storage.errors import StorageError
from ui.i18n import set_language
from ui.main_window import MainWindow

log = logging.getLogger(__name__)

_SETTLE_AFTER_MS = 2000


def run(paths: Paths, owner: Owner, _arguments: argparse.Namespace) -> int:
    """Show the window until it is closed; returns the exit code."""
    QGuiApplication.setDesktopFileName("coterie")
    QApplication.setApplicationName("Coterie")
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    try:
        services = Services(paths, owner.runtime_dir)
    except StorageError as error:
        set_language("system")
        log.info("cannot open the data: %s", error)
        sys.stderr.write(f"coterie: {sentence(error)}\n")
        QMessageBox.critical(None, "Coterie", sentence(error))
        return 1
    bridge = Bridge()
    window = MainWindow()
    wiring = WindowWiring(window, services, bridge)
    report_uncaught(lambda error: bridge.post(lambda: wiring.show_error(error)))
    signals = SystemSignals(window.close)
    window.closing.connect(wiring.end)
    # Qt asks to close the windows when the session ends, but its loop ends only with the last of them.
    app.setQuitOnLastWindowClosed(True)
    wiring.begin()
    window.show()
    owner.control.serve(relay_runner(services), lambda: bridge.post(lambda: _raise(window)))
    QTimer.singleShot(0, window, lambda: log.info("window ready"))
    QTimer.singleShot(_SETTLE_AFTER_MS, window, settle_memory)
    QTimer.singleShot(_SETTLE_AFTER_MS, window, lambda: look_after(services))
    try:
        return app.exec()
    finally:
        signals.close()
        owner.control.close()
        bridge.close()
        services.close()
        log.info("ended")


def _raise(window: MainWindow) -> None:
    window.showNormal() if window.isMinimized() else window.show()
    window.raise_()
    window.activateWindow()
