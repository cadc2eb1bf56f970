"""Which run of the machine this is: what a process has written outlives the process, but not a power cut."""

from __future__ import annotations

from pathlib import Path

import psutil

_LINUX_ID = Path("/proc/sys/kernel/random/boot_id")
_TOLERANCE_S = 60.0
"""Elsewhere the start is computed from a clock that is corrected now and then."""


def boot_mark() -> str:
    """A name for this run of the machine.

    Linux has one that no change of the clock touches. Elsewhere it is the time of the start, and after a jump
    of the clock the machine seems to have been started again: then only what was synced counts.
    """
    try:
        return _LINUX_ID.read_text("ascii").strip()
    except (OSError, ValueError):
        return f"@{psutil.boot_time():.0f}"


def is_this_run(mark: str) -> bool:
    """Whether `boot_mark` gave this in the present run of the machine."""
    now = boot_mark()
    if mark.startswith("@") and now.startswith("@"):
        try:
            return abs(float(mark[1:]) - float(now[1:])) < _TOLERANCE_S
        except ValueError:
            return False
    return mark == now
