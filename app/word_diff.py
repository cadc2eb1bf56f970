"""What two texts have in common, word by word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ChangeKind = Literal["same", "removed", "added"]

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
# White space belongs to the word behind it; a character of Chinese, Japanese or Korean is a word of its own.
_WORD = re.compile(rf"\s*(?:[{_CJK}]|[^\W{_CJK}]+|[^\w\s])|\s+")
_MOST_WORDS = 4_000
"""Of a passage: comparing takes time with the square of its length. Longer ones are told as a whole."""


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch that both texts have, or only the first (removed), or only the second (added)."""

    kind: ChangeKind
    text: str


def word_diff(first: str, second: str) -> tuple[Change, ...]:
    """The way from one text to the other: by lines, and by words where lines changed.

    The texts of all that is not `added` make the first, of all that is not `removed` the second.
    """
    changes: list[Change] = []
    for change in _diff(first.splitlines(keepends=True), second.splitlines(keepends=True)):
        is_pair = change.kind == "added" and changes and changes[-1].kind == "removed"
        if not is_pair:
            _append(changes, change)
            continue
        removed = changes.pop().text
        a, b = _WORD.findall(removed), _WORD.findall(change.text)
        if len(a) + len(b) <= _MOST_WORDS:
            for smaller in _diff(a, b):
                _append(changes, smaller)
        else:
            changes += [Change("removed", removed), change]
    return tuple(changes)


def _append(changes: list[Change], change: Change) -> None:
    if changes and changes[-1].kind == change.kind:
        changes[-1] = Change(change.kind, changes[-1].text + change.text)
    else:
        changes.append(change)


def _diff(a: list[str], b: list[str]) -> Iterator[Change]:
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    for operation, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        if operation == "equal":
            yield Change("same", "".join(a[a_start:a_end]))
            continue
        if a_end > a_start:
            yield Change("removed", "".join(a[a_start:a_end]))
        if b_end > b_start:
            yield Change("added", "".join(b[b_start:b_end]))


def similarity(changes: tuple[Change, ...]) -> float:
    """Share of the characters that both texts have, 0 to 1; 1 for two empty texts."""
    total = sum(len(change.text) * (2 if change.kind == "same" else 1) for change in changes)
    same = sum(2 * len(change.text) for change in changes if change.kind == "same")
    return same / total if total else 1.0
