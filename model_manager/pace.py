"""A limit on how many bytes a second all transfers take together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

READ_BYTES = 1 << 20
"""The most that is read at once."""
_LEAST_READ_BYTES = 4 << 10
_BURST_S = 0.25
_READS_PER_S = 20


class Pace:
    """Tells each reader how long to wait after what it has read. Thread-safe; the limit may change."""

    def __init__(self, limit: Callable[[], int] = lambda: 0) -> None:
        """Make one.

        Args:
            limit: Bytes a second, asked again and again, from any thread; 0 is no limit.
        """
        self._limit = limit
        self._lock = threading.Lock()
        self._free_at = 0.0

    def most_bytes(self) -> int:
        """How much to read at once, so that a slow pace is an even one."""
        limit = self._limit()
        return READ_BYTES if limit <= 0 else max(_LEAST_READ_BYTES, min(READ_BYTES, limit // _READS_PER_S))

    def wait_s(self, n_bytes: int) -> float:
        """Note that so many bytes were read; the seconds that must pass before more are."""
        limit = self._limit()
        if limit <= 0:
            return 0.0
        now = time.monotonic()
        with self._lock:
            self._free_at = max(self._free_at, now - _BURST_S) + n_bytes / limit
            return max(0.0, self._free_at - now)


UNLIMITED = Pace()
