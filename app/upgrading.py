"""Bringing a database up to date before anything else: what an earlier version wrote may take a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.cli.progress import ProgressLine
from app.console import Console
from storage.store import Store
from storage.upgrading import Progress, is_behind
from ui.i18n import set_language, tr

SILENT_S = 1.0
"""What takes no longer than this is not worth a word."""


def upgrade_on_terminal(path: Path, console: Console) -> None:
    """Do it, with a line on stderr that tells how far it is.

    Raises:
        StorageError: It could not be done; nothing was changed.
    """
    if not is_behind(path):
        return
    line = ProgressLine(console)
    began_s = time.monotonic()
    is_told = False

    def tell(done: int, total: int) -> None:
        nonlocal is_told
        if time.monotonic() - began_s < SILENT_S:
            return
        if not is_told:
            is_told = True
            set_language("system")  # the setting is in there
            if not console.is_screen:
                console.err(f"coterie: {words()}\n")
        line.show_steps(words(), done, total)

    try:
        _upgrade(path, tell)
    finally:
        line.clear()


class Upgrading:
    """The same on a thread, so that a window can show how far it is.

    Attributes:
        permille: How far it is.
        error: Why it ended without success; None while it runs, and where all is well.
    """

    def __init__(self, path: Path, on_done: Callable[[], None]) -> None:
        """Begin; `on_done` is called at the end, on the thread."""
        self.permille = 0
        self.error: Exception | None = None
        self._path = path
        self._on_done = on_done
        threading.Thread(target=self._run, name="upgrade", daemon=True).start()

    def _run(self) -> None:
        try:
            _upgrade(self._path, self._tell)
        except Exception as error:  # noqa: BLE001 : raised again where it is waited for
            self.error = error
        finally:
            self._on_done()

    def _tell(self, done: int, total: int) -> None:
        self.permille = 1000 * done // max(total, 1)


def words() -> str:
    """What is being done, for people."""
    return tr("Bringing the database up to date…")


def _upgrade(path: Path, tell: Progress) -> None:
    Store(path, tell).close()
