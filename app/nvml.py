"""The energy counters of NVIDIA's cards, through the library that comes with their driver.

Source: https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
(`nvmlDeviceGetTotalEnergyConsumption`: millijoules since the driver was loaded; Volta and later)
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Final

_LIBRARY: Final = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
_MILLIJOULES: Final = 1_000


class Nvml:
    """The open library. Any thread may read."""

    def __init__(self, name: str = _LIBRARY) -> None:
        """Open it.

        Raises:
            OSError: There is none, or no driver that answers.
        """
        self._library = ctypes.CDLL(name)
        n_cards = ctypes.c_uint(0)
        self._cards: list[ctypes.c_void_p] = []
        try:
            self._call("nvmlInit_v2")
            self._call("nvmlDeviceGetCount_v2", ctypes.byref(n_cards))
            for number in range(n_cards.value):
                card = ctypes.c_void_p()
                self._call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(number), ctypes.byref(card))
                self._cards.append(card)
        except AttributeError as error:
            raise OSError(f"{name}: {error}") from error

    def joules(self) -> float | None:
        """Of all cards since their driver was loaded; None where one does not tell."""
        if not self._cards:
            return None
        total = 0
        count = ctypes.c_ulonglong(0)
        for card in self._cards:
            try:
                self._call("nvmlDeviceGetTotalEnergyConsumption", card, ctypes.byref(count))
            except (OSError, AttributeError):
                return None
            total += count.value
        return total / _MILLIJOULES

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._library, name)(*arguments)
        if code != 0:
            raise OSError(f"{name}: {code}")


@functools.cache
def nvml() -> Nvml | None:
    """The library, opened once; None where there is none."""
    try:
        return Nvml()
    except OSError:
        return None
