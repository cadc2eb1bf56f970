"""The rows of the benchmark table: what was measured, against what, and whether it is enough."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from model_manager.engine.threads import SPIN_ENVIRONMENT

HEADINGS = ("What", "Model", "Ours", "Peer", "Figure", "Target", "")


@dataclass(frozen=True, slots=True)
class Row:
    """One number of the table.

    Attributes:
        what: What was measured.
        model: Of which model; "" where that means nothing.
        ours: Our median, with its unit.
        peer: The peer's name and median; "" where the figure stands alone.
        figure: What the target is about: a ratio of paired runs, or a quantity in `unit`.
        target: What the figure should be, None where it is only told.
        sense: Whether the figure should be at least or at most the target.
        unit: Of the figure; "x" for a ratio.
        spread: The figure of each pair or run, in their order.
        others_cores: Cores that other processes used meanwhile, on the mean; above 0.1 or so the machine was
            not quiet and the row is worth little.
        note: What a reader must know.
    """

    what: str
    model: str
    ours: str
    peer: str
    figure: float
    target: float | None
    sense: Literal["at least", "at most"] = "at least"
    unit: str = "x"
    spread: tuple[float, ...] = ()
    others_cores: float = 0.0
    note: str = ""

    @property
    def passes(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.figure >= self.target if self.sense == "at least" else self.figure <= self.target

    @property
    def cells(self) -> tuple[str, ...]:
        """For people, in the order of `HEADINGS`."""
        target = "" if self.target is None else f"{self.sense} {_quantity(self.target, self.unit)}"
        verdict = {True: "pass", False: "**miss**", None: ""}[self.passes]
        figure = _quantity(self.figure, self.unit)
        return self.what, self.model, self.ours, self.peer, figure, target, verdict


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        is_quick: One or two runs, to see that it works.
    """

    is_quick: bool = False

    def pairs(self, n: int) -> int:
        """`n` pairs, or 2 when it is only tried."""
        return min(n, 2) if self.is_quick else n


def markdown(rows: Sequence[Row]) -> str:
    """The table, ready for a page."""
    lines = [_line(HEADINGS), _line(["---"] * len(HEADINGS)), *(_line(row.cells) for row in rows)]
    notes = [f"- {row.what}{', ' if row.model else ''}{row.model}: {row.note}" for row in rows if row.note]
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def plain(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    cells = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADINGS))]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in cells
    )


def main(measure: Callable[[Effort], Iterable[Row]], description: str | None) -> None:
    """Measure what one module measures, from the command line.

    Args:
        measure: Makes its rows.
        description: The module's docstring.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one or two runs, to see that it works")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    arguments = parser.parse_args()
    if any(os.environ.get(key) != value for key, value in SPIN_ENVIRONMENT.items()):
        # libgomp reads it when it is loaded, so for a model in this very process it is too late.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **SPIN_ENVIRONMENT})
    rows = []
    for row in measure(Effort(arguments.quick)):
        rows.append(row)
        if arguments.json:
            print(json.dumps(asdict(row)), flush=True)
    if not arguments.json:
        print(plain(rows), end="")
        for row in rows:
            print(
                f"{row.what}: {[round(x, 3) for x in row.spread]}, others used {row.others_cores:.2f} cores"
            )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _quantity(number: float, unit: str) -> str:
    text = f"{number:.3g}" if abs(number) < 100 else f"{number:.0f}"
    return text if unit == "x" else f"{text} {unit}"
