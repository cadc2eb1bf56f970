"""How busy the rest of the machine was during a measurement."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType

import psutil


class OthersMeter:
    """Measures the cores that processes outside this one's family used while the block ran.

    Attributes:
        cores: Mean number of busy cores; set when the block ends.
    """

    def __init__(self) -> None:
        self.cores = 0.0

    def __enter__(self) -> OthersMeter:
        self._began_s = time.perf_counter()
        self._all_s, self._ours_s = _all_busy_s(), _family_busy_s()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        others_s = (_all_busy_s() - self._all_s) - (_family_busy_s() - self._ours_s)
        self.cores = max(0.0, others_s / (time.perf_counter() - self._began_s))


def _all_busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _family_busy_s() -> float:
    """Of this process, its children, and the children that have ended."""
    us = psutil.Process()
    total = 0.0
    for process in [us, *us.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
