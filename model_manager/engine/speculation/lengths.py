"""How many guesses a decode call should check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

STEPS: Final = (2, 4, 8, 16)
"""Numbers of guesses that are considered: few, so that each one's cost is soon known well."""

_WORTHWHILE: Final = 1.05


@dataclass(frozen=True, slots=True)
class Guesser:
    """One answer that could bring guesses.

    Attributes:
        chance: That each guess is right, given those before it.
        n_max: Most guesses that it may bring.
        cost_s: Seconds that each guess takes to be made.
    """

    chance: float
    n_max: int
    cost_s: float = 0.0


def choose_lengths(
    guessers: Sequence[Guesser],
    n_rows: int,
    n_max: int,
    call_s: Callable[[int], float],
) -> list[int]:
    """The number of guesses of each that gives the most tokens a second, over all answers of a call.

    A call with d guesses of chance p yields 1 + p + p^2 + ... + p^d tokens of its answer on average.

    Args:
        guessers: Those that have something to propose.
        n_rows: Rows of the call without any guess: one for each answer that streams.
        n_max: Most guesses of a call.
        call_s: Seconds of a call by its number of rows.

    Returns:
        One number for each of `guessers`; all 0 where checking is not worth its time.
    """
    # The most likely guesses of all answers first; within an answer that is their order, too.
    ranked = sorted(
        (
            (g.chance ** (depth + 1), i)
            for i, g in enumerate(guessers)
            for depth in range(min(g.n_max, n_max))
        ),
        key=lambda entry: -entry[0],
    )[:n_max]
    best_rate, n_best = n_rows / call_s(n_rows) * _WORTHWHILE, 0
    expected, making_s = float(n_rows), 0.0
    for n_taken, (chance, i) in enumerate(ranked, start=1):
        expected += chance
        making_s += guessers[i].cost_s
        if n_taken in STEPS or n_taken == len(ranked):
            rate = expected / (call_s(n_rows + n_taken) + making_s)
            if rate > best_rate:
                best_rate, n_best = rate, n_taken
    lengths = [0] * len(guessers)
    for _chance, i in ranked[:n_best]:
        lengths[i] += 1
    return lengths
