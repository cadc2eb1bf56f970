"""Slow work beside the Qt thread: one thread that lives while there is something to do."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

_POLITE_INTERVAL_S = 0.000_1

log = logging.getLogger(__name__)


class Background(QObject):
    """Runs functions one after another on a thread of its own; results come back on the Qt thread.

    The newest request runs first: it is what the reader looks at.

    Signals:
        finished: key (object), result (object; the exception where the function raised). On the thread of
            this object.
    """

    finished = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: deque[tuple[object, Callable[[], Any]]] = deque()
        self._lock = threading.Lock()
        self._is_running = False
        self._is_closed = False

    def submit(self, key: object, function: Callable[[], Any]) -> None:
        """Run `function` soon; the caller sees to it that a key is not asked for twice."""
        with self._lock:
            if self._is_closed:
                return
            self._jobs.append((key, function))
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._work, name="transcript-background", daemon=True).start()

    def close(self) -> None:
        """Forget what waits; a function that runs ends unheard. Never blocks."""
        with self._lock:
            self._is_closed = True
            self._jobs.clear()

    def _work(self) -> None:
        # Painting gives the interpreter away at every call into Qt, and each time would wait the usual 5 ms
        # to get it back from a typesetter that never pauses: frames of 60 ms.
        usual_s = sys.getswitchinterval()
        sys.setswitchinterval(min(usual_s, _POLITE_INTERVAL_S))
        try:
            self._work_off()
        finally:
            sys.setswitchinterval(usual_s)

    def _work_off(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._is_running = False
                    return
                key, function = self._jobs.pop()
            try:
                result = function()
            except Exception as error:  # noqa: BLE001  # a library's failure on foreign input is a result
                log.debug("background work on %r failed: %s", key, error)
                result = error
            with self._lock:
                if self._is_closed:
                    return
                try:
                    self.finished.emit(key, result)
                except RuntimeError:
                    return  # the transcript is gone, and this object with it
