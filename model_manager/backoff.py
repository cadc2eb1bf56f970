"""How long to wait before the next attempt: longer each time, and not all at the same moment."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from model_manager.errors import HostSilent, ModelManagerError, NetworkAway

MAX_DELAY_S = 60.0


Waiting = Literal["network", "server"]
"""For what a transfer waits."""


def waits_for(error: ModelManagerError) -> Waiting:
    """Whose return is waited for after an error."""
    return "network" if isinstance(error, NetworkAway) and not isinstance(error, HostSilent) else "server"


@dataclass(slots=True)
class Backoff:
    """Counts attempts in a row that brought nothing.

    Attributes:
        first_s: The first wait; doubles up to a minute.
        max_failures: After so many no other attempt is made.
        n_failures: How many there were.
    """

    first_s: float
    max_failures: int
    n_failures: int = 0

    def reset(self) -> None:
        """An attempt brought something."""
        self.n_failures = 0

    def next_s(self, error: ModelManagerError, after_s: float = 0.0) -> float | None:
        """Count a failure; the seconds to wait now, or None to give up.

        While the network is away nobody gives up: it is not the server's doing, and nobody is kept waiting.

        Args:
            error: Why the attempt failed.
            after_s: What the server asked for; that much at least is waited.
        """
        self.n_failures += 1
        if self.n_failures > self.max_failures and not isinstance(error, NetworkAway):
            return None
        longest_s = min(MAX_DELAY_S, self.first_s * 2.0 ** min(self.n_failures - 1, 16))
        return max(longest_s * random.uniform(0.5, 1.0), after_s)
