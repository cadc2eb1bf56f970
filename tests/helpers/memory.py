"""How much memory a process took at its peak, and what of it was its own before."""

from __future__ import annotations

from pathlib import Path


def peak_bytes(pid: int) -> int:
    """The most that was resident at once since the process began: anonymous memory and pages of files."""
    return _status(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """What is resident now."""
    return _status(pid, "VmRSS")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {name}")
