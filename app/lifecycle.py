"""The beginning and the end of the window's process: signals of the system, errors nobody caught, memory."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import TracebackType

from PySide6.QtCore import QObject, QSocketNotifier

log = logging.getLogger(__name__)


class SystemSignals(QObject):
    """Turns SIGINT, SIGTERM and SIGHUP into a call on the Qt thread.

    Qt's loop runs no Python while it waits, so Python's handlers would wait with it: the interpreter writes
    the number of the signal into a socket that Qt watches.
    """

    def __init__(self, on_end: Callable[[], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._on_end = on_end
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._notifier = QSocketNotifier(self._reader.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_readable)
        names = ("SIGINT", "SIGTERM", "SIGHUP")
        self._numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        for number in self._numbers:
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Give the signals back to the system's defaults."""
        signal.set_wakeup_fd(-1)
        for number in self._numbers:
            signal.signal(number, signal.SIG_DFL)
        self._notifier.setEnabled(False)
        self._reader.close()
        self._writer.close()

    def _on_readable(self) -> None:
        received = self._reader.recv(64)
        if any(number in received for number in self._numbers):
            self._on_end()


def report_uncaught(report: Callable[[BaseException], None]) -> None:
    """From now on, what nobody caught is logged and told to `report` (on whatever thread it happened)."""

    def on_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("uncaught", exc_info=(kind, error, trace))
        report(error)

    def on_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and args.exc_type is not SystemExit:
            on_main(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = on_main
    threading.excepthook = on_thread


def settle_memory() -> None:
    """What the start has made will live as long as the program: a collection need not look at it again.

    Without this a full collection takes 20 to 50 ms, which is a visible pause in a frame.
    """
    gc.collect()
    gc.freeze()
