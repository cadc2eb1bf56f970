"""What the commands print for people: aligned columns, and JSON for scripts."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from app.console import Console

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_json(console: Console, value: Any) -> None:
    """One line of JSON."""
    console.out(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def print_table(console: Console, rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Columns as wide as their widest cell.

    Args:
        console: Where to.
        rows: Of equal length.
        right: Numbers of the columns that are aligned to the right.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = []
        for column, text in enumerate(row):
            space = " " * (widths[column] - _width(text))
            cells.append(space + text if column in right else text + space)
        console.out("  ".join(cells).rstrip() + "\n")


def printable(text: str) -> str:
    """A text without control characters: a model could move the cursor with them, or do worse."""
    return _CONTROLS.sub("", text)


def _width(text: str) -> int:
    """Columns of a terminal that a text takes; Chinese letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
