"""Energy of the processor and of NVIDIA's cards while an answer is made, where the system lets us read it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from app.nvml import Nvml

_POWERCAP: Final = Path("/sys/class/powercap")
_MICROJOULES: Final = 1_000_000


class EnergyMeter:
    """Counts from the moment it is made.

    Everything that they do meanwhile is in it, other programs and other answers too. Linux shows the counters
    of the processor's packages ("running average power limit", Intel's and AMD's alike), as a rule to the
    administrator alone; elsewhere there are none.
    Source: Linux Documentation/power/powercap/powercap.rst
    """

    def __init__(self, folder: Path = _POWERCAP, cards: Nvml | None = None) -> None:
        """Begin to count.

        Args:
            folder: That of the system's power zones.
            cards: Their library; None: there are none.
        """
        self._cards = cards
        self._cards_began = None if cards is None else cards.joules()
        # A package is "intel-rapl:0"; what has one more number is a part of it.
        zones = (zone for zone in _zones(folder) if zone.name.count(":") == 1)
        self._began = {zone: count for zone in zones if (count := _read(zone / "energy_uj")) is not None}

    def joules(self) -> float | None:
        """Since it was made, of what can be read; None where nothing can."""
        found = [joules for joules in (self._of_processor(), self._of_cards()) if joules is not None]
        return sum(found) if found else None

    def _of_cards(self) -> float | None:
        now = None if self._cards is None else self._cards.joules()
        if now is None or self._cards_began is None or now < self._cards_began:  # the driver began anew
            return None
        return now - self._cards_began

    def _of_processor(self) -> float | None:
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
