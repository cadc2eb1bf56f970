"""How many threads decode, decided at the start and again while the machine gets busier or calmer.

A decode step is hundreds of small operations with a barrier after each, so one thread that waits for its core
holds up all others. Measured on two cores (tokens a second idle / with another process busy): two spinning
threads 133 / 9 to 42, two that spin shortly 126 / 36, one thread 65 / 70. Hence a spin that lasts from one
token to the next and no longer (most of a millisecond: a loop without it reached 0.92 of llama-bench, with it
1.0, and with one core busy both 70 tokens a second), a core left free where there are many, and a controller
that gives a core up when tokens slow down.
Source: design 4.1; GOMP_SPINCOUNT in the manual of libgomp.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable

import psutil

log = logging.getLogger(__name__)

# libgomp reads this once, when it is loaded: it belongs into the environment before the process starts.
SPIN_ENVIRONMENT = {"GOMP_SPINCOUNT": "30000"}

MANY_CORES = 4


def n_usable_cores() -> int:
    """Physical cores that this process may run on; at least 1."""
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(1, min(physical, allowed))


def initial_threads(wanted: int = 0) -> int:
    """Decode threads to begin with: `wanted`; for 0 all cores, one fewer where there are more than four."""
    if wanted > 0:
        return wanted
    n_cores = n_usable_cores()
    return n_cores - 1 if n_cores > MANY_CORES else n_cores


WINDOW_CALLS = 8
"""Calls that are averaged before they are compared: the mean counts, as one call in three may be held up."""

_SLOWER = 1.3
_FASTER = 0.95
_FIRST_PAUSE_WINDOWS = 4
_PAUSE_AFTER_RETREAT_WINDOWS = 1
_LONGEST_PAUSE_WINDOWS = 16  # two seconds of tokens: how long a core that became free may go unnoticed
_FEWEST_CALLS = 3


class ThreadController:
    """Finds the thread count with which tokens come fastest just now; pure arithmetic, owned by one thread.

    It compares the mean time of a window of calls with that of a window with another count, and keeps the
    better. Half as many are tried at the start (the machine may be busy already) and whenever calls became
    clearly slower than the best that was seen: a smaller step would often gain nothing, since one thread
    without a core holds up all others. A quarter more are tried from time to time, in pauses that double with
    every attempt in vain; a trial of which every call is worse ends early. Calls with another number of rows
    are another matter: each number has its own best.

    Attributes:
        n_threads: The count to use for the next call.
    """

    def __init__(self, n_max: int) -> None:
        self.n_threads = self._n_settled = self._n_max = n_max
        self._times: dict[int, list[float]] = {}
        self._settled_s: dict[int, float] = {}
        self._best_s: dict[tuple[int, int], float] = {}
        self._must_compare = n_max > 1
        self._pause_up = self._pause_down = _FIRST_PAUSE_WINDOWS
        self._n_waited = 0

    def adjust(self, n_rows: int, elapsed_s: float, set_threads: Callable[[int, int], None]) -> None:
        """`observe` a call, and set the threads of decoding and of prompts if that changes their number."""
        before = self.n_threads
        now = self.observe(n_rows, elapsed_s)
        if now != before:
            log.debug("%d threads instead of %d", now, before)
            set_threads(now, now)

    def observe(self, n_rows: int, elapsed_s: float) -> int:
        """Learn from a call of single rows made with `n_threads`; returns the count for the next."""
        if self._n_max == 1:
            return 1
        times = self._times.setdefault(n_rows, [])
        times.append(elapsed_s)
        # The first call after a change still pays for it: threads are started, caches are cold.
        later = times[1:]
        is_full = len(times) == WINDOW_CALLS
        if self.n_threads == self._n_settled:
            if is_full:
                self._go_to(self._next_count(n_rows, sum(later) / len(later)), n_rows)
        elif n_rows in self._settled_s:
            if is_full:
                self._judge(n_rows, sum(later) / len(later))
            elif len(later) >= _FEWEST_CALLS and self._is_hopeless(n_rows, later):
                self._judge(n_rows, math.inf)
        elif is_full:
            # Calls of a kind that was not seen before the trial: there is nothing to compare with.
            self._must_compare = self._must_compare or self.n_threads < self._n_settled
            self._go_to(self._n_settled, n_rows)
        return self.n_threads

    def _is_hopeless(self, n_rows: int, times: list[float]) -> bool:
        """Whether even the best call on trial is worse than the mean of the settled count."""
        return n_rows in self._settled_s and min(times) > self._settled_s[n_rows]

    def _next_count(self, n_rows: int, mean_s: float) -> int:
        """After a window with the settled count: stay with it, or try another."""
        n = self._n_settled
        key = (n, n_rows)
        best_s = self._best_s.get(key, mean_s)
        # A context that grows makes calls slower for good; the best drifts after them.
        self._best_s[key] = min(mean_s, best_s * 1.01)
        self._settled_s[n_rows] = mean_s
        self._n_waited += 1
        is_slow = mean_s > best_s * _SLOWER
        if not is_slow:
            self._pause_down = _FIRST_PAUSE_WINDOWS
        if n > 1 and (self._must_compare or (is_slow and self._n_waited >= self._pause_down)):
            self._must_compare = False
            return n - max(1, n // 2)
        if n < self._n_max and self._n_waited >= self._pause_up:
            return min(self._n_max, n + max(1, n // 4))
        return n

    def _judge(self, n_rows: int, mean_s: float) -> None:
        """After a window with a count on trial: settle on it or go back."""
        n_tried = self.n_threads
        settled_s = self._settled_s.get(n_rows)
        if settled_s is not None and mean_s < settled_s * _FASTER:
            n_before, self._n_settled = self._n_settled, n_tried
            self._must_compare = n_tried < n_before
            self._settled_s.clear()  # of the other counts
            self._pause_up = self._pause_down = _FIRST_PAUSE_WINDOWS
            if n_tried < n_before:
                # What held the others up is often over at once, and a window with fewer threads is long.
                self._pause_up = _PAUSE_AFTER_RETREAT_WINDOWS
        elif n_tried > self._n_settled:
            self._pause_up = min(self._pause_up * 2, _LONGEST_PAUSE_WINDOWS)
        else:
            self._pause_down = min(self._pause_down * 2, _LONGEST_PAUSE_WINDOWS)
        self._n_waited = 0
        self._go_to(self._n_settled, n_rows)

    def _go_to(self, n_threads: int, n_rows: int) -> None:
        if n_threads == self.n_threads:
            self._times[n_rows].clear()  # calls of other kinds go on filling their windows
        else:
            self.n_threads = n_threads
            self._times.clear()
