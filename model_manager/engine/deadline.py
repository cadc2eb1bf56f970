"""Runs what a template does under a deadline that holds even in an endless loop.

It runs on a thread of its own, into which an exception is thrown when the time is over. Python delivers it
between two steps of its own, so no single step may be long; `sandbox` sees to that.
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from model_manager.errors import TemplateFailed

TIMEOUT_S: Final = 1.5
"""Time for compiling or rendering once. Real templates need a millisecond, large ones a few dozen."""
PATIENCE: Final = 4
"""On a busy machine, how many times as long it may take while the processor gave it less than its time."""

T = TypeVar("T")


class _OutOfTime(BaseException):
    """Thrown into a rendering thread; not an Exception, so that nothing in a template can catch it."""


def run_limited(work: Callable[[], T], timeout_s: float = TIMEOUT_S) -> T:
    """Run the compiling or rendering of a template on a thread of its own, under a deadline.

    Raises:
        TemplateFailed: Whatever went wrong in it, or it was not done in time.
    """
    limited = _Limited(work)
    return limited.run(timeout_s)  # type: ignore[return-value]  # what `work` gave


class _Limited:
    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._result: object = None
        self._reason: str | None = "it took too long"
        self._lock = threading.Lock()
        self._is_finished = False
        self._thread = threading.Thread(target=self._main, name="template", daemon=True)

    def run(self, timeout_s: float) -> object:
        self._thread.start()
        for _ in range(PATIENCE):
            self._thread.join(timeout_s)
            if self._cpu_s() >= timeout_s / 2:
                break
        # A few throws: one that lands while another exception is handled may be lost.
        for _ in range(5):
            if not self._throw():
                break
            self._thread.join(0.2)
        if self._reason is not None:
            raise TemplateFailed(self._reason)
        return self._result

    def _cpu_s(self) -> float:
        """Processor time that it had; where that cannot be told, more than enough."""
        with self._lock:  # without it the thread cannot end, and the clock of one that has is no clock
            if sys.platform != "linux" or self._is_finished or self._thread.ident is None:
                return math.inf
            return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident))

    def _throw(self) -> bool:
        with self._lock:
            if self._is_finished:
                return False
            ident = ctypes.c_ulong(self._thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_OutOfTime))
            return True

    def _main(self) -> None:
        try:
            try:
                self._result = self._work()
                reason = None
            except Exception as error:  # noqa: BLE001 - a template may raise anything there is
                reason = f"{type(error).__name__}: {error}"[:500]
            with self._lock:
                self._reason = reason
                self._is_finished = True
            # A throw from before the lock was taken strikes at the next jump back: here, not outside.
            for _ in range(3):
                pass
        except _OutOfTime:
            try:
                with self._lock:
                    self._is_finished = True
                for _ in range(3):
                    pass
            except _OutOfTime:  # a second throw, before the lock was ours
                self._is_finished = True
