"""Paired runs: each contender measures once a round, in turns who comes first."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.machine import OthersMeter
from benchmarks.table import Row

Measure = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Contest:
    """What contenders reached.

    Attributes:
        rates: Of each contender, one number a round.
        others_cores: Cores that other processes used meanwhile.
    """

    rates: Mapping[str, tuple[float, ...]]
    others_cores: float

    def median(self, name: str) -> float:
        """Of one contender."""
        return statistics.median(self.rates[name])

    def row(
        self, what: str, model: str, ours: str, peer: str, target: float | None, unit: str = "tok/s"
    ) -> Row:
        """Two of the contenders against each other; `unit` is that of both."""
        ratios = tuple(a / b for a, b in zip(self.rates[ours], self.rates[peer], strict=True))
        return Row(
            what=what,
            model=model,
            ours=f"{self.median(ours):.1f} {unit}",
            peer=f"{peer} {self.median(peer):.1f} {unit}",
            figure=statistics.median(ratios),
            target=target,
            spread=ratios,
            others_cores=self.others_cores,
        )


def contest(contenders: Mapping[str, Measure], n_rounds: int, *, warm_up: bool = True) -> Contest:
    """Let all of them measure `n_rounds` times.

    Args:
        contenders: Name to what measures it.
        n_rounds: How often.
        warm_up: Once more before, uncounted: the first of everything is slower.
    """
    if warm_up:
        for measure in contenders.values():
            measure()
    names = list(contenders)
    rates: dict[str, list[float]] = {name: [] for name in names}
    with OthersMeter() as meter:
        for round_number in range(n_rounds):
            start = round_number % len(names)
            for name in names[start:] + names[:start]:
                rates[name].append(contenders[name]())
    return Contest({name: tuple(values) for name, values in rates.items()}, meter.cores)
