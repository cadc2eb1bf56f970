"""What a decode call costs by its number of rows, measured as the calls go by."""

from __future__ import annotations

import bisect
from typing import Final

_FIRST_SLOPE: Final = 0.4
"""Part of a one-row call that each further row is taken to cost before one was seen.

Measured with the dense starter on two processor cores: 8 rows cost 4.0 times one, 32 rows 12.5 times.
"""
_WEIGHT: Final = 0.2
_OUTLIER: Final = 3.0
_SHARED: Final = 0.5
"""How far the other numbers follow a change, in its logarithm: the machine got busier for all of them."""


class CallCosts:
    """Estimated seconds of a call; belongs to the decode thread.

    A running mean for each number of rows that was seen; between them and beyond them straight lines. A
    single call that the machine held up hardly counts. What is not seen for a while follows what is, or a
    number that was measured on a busy machine would be avoided for good.
    """

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._mean_s: dict[int, float] = {}

    def observe(self, n_rows: int, elapsed_s: float) -> None:
        """Learn from a call that computed no prompt."""
        known = self._mean_s.get(n_rows)
        if known is None:
            bisect.insort(self._rows, n_rows)
            self._mean_s[n_rows] = elapsed_s
        else:
            factor = 1 + _WEIGHT * (min(elapsed_s / known, _OUTLIER) - 1)
            for rows in self._rows:
                self._mean_s[rows] *= factor if rows == n_rows else factor**_SHARED

    def estimate_s(self, n_rows: int) -> float | None:
        """Seconds of a call of so many rows; None before any call was seen."""
        if not self._rows:
            return None
        known = self._mean_s.get(n_rows)
        if known is not None:
            return known
        at = bisect.bisect(self._rows, n_rows)
        if at == 0:
            return self._mean_s[self._rows[0]]
        below = self._rows[at - 1]
        below_s = self._mean_s[below]
        return below_s + self._slope_s(at) * (n_rows - below)

    def _slope_s(self, at: int) -> float:
        """Seconds a row between the known counts around index `at`, or after the last one."""
        if at == len(self._rows):
            if at == 1:
                return self._mean_s[self._rows[0]] * _FIRST_SLOPE / (1 + _FIRST_SLOPE * (self._rows[0] - 1))
            first, last = self._rows[0], self._rows[-1]
        else:
            first, last = self._rows[at - 1], self._rows[at]
        return max(0.0, self._mean_s[last] - self._mean_s[first]) / (last - first)
