"""What a source of guesses is, and how often its guesses turned out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

_MEMORY_TRIALS: Final = 24
"""About how many guesses the estimate remembers: a change of subject shows within a sentence."""


class Draft(Protocol):
    """Guesses how one answer goes on; belongs to the decode thread.

    Attributes:
        cost_s: Seconds that guessing one token takes; 0 where it is next to nothing.
    """

    @property
    def cost_s(self) -> float: ...  # noqa: D102 - above

    def chance(self, history: Sequence[int]) -> float:
        """Look at what there is: how likely the next guess is right; 0 for nothing to propose.

        Args:
            history: The prompt and every token after it. It only ever grows.
        """

    def propose(self, history: Sequence[int], n_max: int) -> list[int]:
        """At most `n_max` tokens that may follow; fewer, or none, where there is no good guess."""

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        """The last proposal was checked: so many of its first tokens are what was chosen."""

    def close(self) -> None:
        """The answer is over."""


class HasId(Protocol):
    """A sequence."""

    @property
    def id(self) -> int: ...  # noqa: D102 - above


class Placed(Protocol):
    """An answer that has a sequence of the context, or waits for one."""

    @property
    def sequence(self) -> HasId | None: ...  # noqa: D102 - above


class Odds:
    """How likely a guess is right, learned from those that were checked.

    Attributes:
        chance: Of one token, given that those before it were right; 0 to 1.
    """

    def __init__(self, first_guess: float) -> None:
        self.chance = first_guess

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        """Count the guesses that were right, and the one that was wrong; those after it tell nothing."""
        n_trials = n_accepted + (n_accepted < n_drafted)
        if n_trials:
            keep = (1 - 1 / _MEMORY_TRIALS) ** n_trials
            self.chance = keep * self.chance + (1 - keep) * n_accepted / n_trials
