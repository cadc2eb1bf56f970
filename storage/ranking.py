"""Which of a few hundred texts is most about some words: BM25 without its view of the whole database.

How rare a word is would have to be counted over everything, and says little here: every text has all words.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from storage.snippets import folded, pattern_of
from storage.terms import Term

# The usual parameters. Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and
# Beyond" (2009), section 3.
_SATURATION: Final = 1.2
_LENGTH_SHARE: Final = 0.75
_LOOK_AT_CHARACTERS: Final = 20_000
_TOGETHER: Final = 1.0
_SAID: Final = 0.25


def ranked(rows: Sequence[sqlite3.Row], terms: Sequence[Term]) -> list[sqlite3.Row]:
    """Rows with `text` and `part`, the best first; of equals, in the order in which they came."""
    if not rows:
        return []
    mean_length = max(1.0, sum(len(row["text"]) for row in rows) / len(rows))
    patterns = [pattern_of([term]) for term in terms]
    together = pattern_of([Term(" ".join(term.text for term in terms), is_cjk=False, is_prefix=True)])

    def score(row: sqlite3.Row) -> float:
        text = folded(row["text"][:_LOOK_AT_CHARACTERS])
        length = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * len(row["text"]) / mean_length)
        found = 0.0
        for pattern in patterns:
            count = sum(1 for _ in pattern.finditer(text)) if pattern is not None else 0
            found += count * (_SATURATION + 1) / (count + length)
        if len(terms) > 1 and together is not None and together.search(text):
            found += _TOGETHER * len(terms)
        return found + (_SAID if row["part"] == "text" else 0.0)

    return sorted(rows, key=score, reverse=True)
