"""Energy of the processor while an answer is made, where the system lets us read it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

_POWERCAP: Final = Path("/sys/class/powercap")
_MICROJOULES: Final = 1_000_000


class EnergyMeter:
    """Counts from the moment it is made.

    Everything that the processor does meanwhile is in it, other programs and other answers too. Linux shows
    the counters of the packages ("running average power limit", Intel's and AMD's alike), as a rule to the
    administrator alone; elsewhere there are none.
    Source: Linux Documentation/power/powercap/powercap.rst
    """

    def __init__(self, folder: Path = _POWERCAP) -> None:
        """Begin to count; `folder` is that of the system's power zones."""
        # A package is "intel-rapl:0"; what has one more number is a part of it.
        zones = (zone for zone in _zones(folder) if zone.name.count(":") == 1)
        self._began = {zone: count for zone in zones if (count := _read(zone / "energy_uj")) is not None}

    def joules(self) -> float | None:
        """Since it was made; None where nothing can be read."""
        if not self._began:
            return None
        total = 0
        for zone, began in self._began.items():
            now = _read(zone / "energy_uj")
            if now is None:
                return None
            if now < began:  # the counter began anew
                now += _read(zone / "max_energy_range_uj") or began - now
            total += now - began
        return total / _MICROJOULES


def _zones(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.glob("intel-rapl:*"))
    except OSError:
        return ()


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
