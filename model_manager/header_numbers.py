"""Counts of bytes and seconds in the headers of an answer: only what can be one counts as one.

`str.isdigit` takes superscripts, `int` refuses numbers of thousands of digits, and a server may send both.
"""

from __future__ import annotations

import re
from typing import Final

_COUNT: Final = "[0-9]{1,15}"

CONTENT_RANGE: Final = re.compile(rf"bytes ({_COUNT})-({_COUNT})/({_COUNT}|\*)")
"""First byte, last byte, and how many the whole has ("*" where the server does not know)."""
UNSATISFIED_RANGE: Final = re.compile(rf"bytes \*/({_COUNT})")
"""How many bytes the whole has."""


def count_of(text: str | None) -> int | None:
    """The number that a header is; None where there is none."""
    return int(text) if text is not None and re.fullmatch(_COUNT, text) else None
