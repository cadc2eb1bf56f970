"""The one door from other threads to the Qt thread.

Plain threads never touch a widget and never emit a signal of their own: they hand a callable to
`Bridge.post`, which runs it on the thread that made the bridge. `Latest` sends only the newest of many
values, at most every 33 ms, so that a fast engine costs the window a constant amount.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal, Slot

log = logging.getLogger(__name__)

T = TypeVar("T")

FRAME_MS = 33


class Bridge(QObject):
    """Runs callables on the Qt thread, and blocking work off it.

    Lives on the Qt thread; `post` and `run` may be called from any thread.
    """

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="bridge")
        self._is_closed = False
        self._posted.connect(self._on_posted, Qt.ConnectionType.QueuedConnection)

    def post(self, fn: Callable[[], None]) -> None:
        """Runs `fn` on the Qt thread, in the order of the calls; after `close` it is dropped."""
        if not self._is_closed:
            self._posted.emit(fn)

    def run(
        self,
        work: Callable[[], T],
        done: Callable[[T], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Runs `work` on a pool thread and its outcome on the Qt thread.

        Args:
            work: May block; must not touch Qt.
            done: Gets what `work` returned.
            failed: Gets what `work` raised; without it the error is logged.
        """

        def job() -> None:
            try:
                result = work()
            except Exception as error:
                failure = error
                if failed is None:
                    log.exception("background work failed")
                else:
                    self.post(lambda: failed(failure))
            else:
                if done is not None:
                    self.post(lambda: done(result))

        if not self._is_closed:
            self._pool.submit(job)

    def close(self) -> None:
        """Waits for running work; what it would still have posted is dropped."""
        self._is_closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    @Slot(object)
    def _on_posted(self, fn: Callable[[], None]) -> None:
        if not self._is_closed:
            fn()


class Latest(Generic[T]):
    """Delivers the newest offered value on the Qt thread, at most every `FRAME_MS`.

    `offer` may be called from any thread and as often as one likes; values in between are skipped, the last
    one never is.
    """

    def __init__(self, bridge: Bridge, deliver: Callable[[T], None]) -> None:
        self._bridge = bridge
        self._deliver = deliver
        self._lock = threading.Lock()
        self._value: T | None = None
        self._is_pending = False
        self._since_last = QElapsedTimer()

    def offer(self, value: T) -> None:
        """Replaces the value that waits to be delivered."""
        with self._lock:
            self._value = value
            if self._is_pending:
                return
            self._is_pending = True
        self._bridge.post(self._schedule)

    def _schedule(self) -> None:
        waited_ms = self._since_last.elapsed() if self._since_last.isValid() else FRAME_MS
        # Not `self.flush` itself: Qt for Python keeps methods weakly, and nobody else may keep this object.
        QTimer.singleShot(max(0, FRAME_MS - int(waited_ms)), self._bridge, lambda: self.flush())

    def flush(self) -> None:
        """Delivers what waits, now; Qt thread only."""
        with self._lock:
            value, self._value = self._value, None
            self._is_pending = False
        if value is not None:
            self._since_last.start()
            self._deliver(value)
