"""The steps of a reasoning text: its headings, its list items, and the turns of its thought.

A step begins at a heading, at a list item, or at a sentence that a word of discourse opens ("Wait", "So",
"首先"). Nothing is understood: what is told is where a reader would put a finger.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

StepKind = Literal["start", "heading", "item", "doubt", "alternative", "conclusion", "check", "order"]
"""What opens a step: the beginning of the text, Markdown, or one of the families of `_OPENERS`."""

_OPENERS: Final[dict[StepKind, tuple[str, ...]]] = {
    "doubt": (
        "wait", "hmm", "hold on", "but wait", "actually", "however", "no,", "oh",
        "等等", "不对", "但是", "不过", "然而", "其实",
    ),
    "alternative": (
        "alternatively", "another", "or maybe", "maybe", "perhaps", "on the other hand", "instead",
        "或者", "另外", "另一种", "也许", "换个",
    ),
    "conclusion": (
        "so,", "so the", "therefore", "thus", "hence", "in summary", "in conclusion", "overall", "finally",
        "所以", "因此", "总之", "综上", "最后",
    ),
    "check": (
        "let me check", "let me verify", "let's check", "let's verify", "check:", "double-check", "to verify",
        "验证", "检查", "让我检查", "让我验证",
    ),
    "order": (
        "first", "second", "third", "next", "then", "step ", "to begin", "let me", "let's", "okay", "ok,",
        "now",
        "首先", "其次", "然后", "接下来", "第一", "第二", "第三", "让我", "好的", "现在",
    ),
}  # fmt: skip

_LONGEST_TITLE: Final = 80
_HEADING = re.compile(r"(?P<marks>#{1,6})[ \t]+\S|(?P<bold>\*\*[^*\n]{1,80}\*\*:?[ \t]*$)", re.M)
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\(?\d{1,3}[.)、])[ \t]+\S")
_SENTENCE = re.compile(r"(?<=[.!?。！？])[ \t]*|\n+[ \t]*")
_OPENING = re.compile(
    "|".join(
        f"(?P<{kind}>{'|'.join(re.escape(word) for word in sorted(words, key=len, reverse=True))})"
        for kind, words in _OPENERS.items()
    ),
    re.I,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        title: Its first sentence, shortened; without Markdown's marks.
        start: Index of its first character in the text.
        end: Index behind its last one; the steps cover the text without a gap.
    """

    kind: StepKind
    title: str
    start: int
    end: int


def outline(text: str) -> tuple[Step, ...]:
    """The steps of a text, in order; empty for one without a visible character."""
    if not text.strip():
        return ()
    begins: list[tuple[int, StepKind]] = [(0, "start")]
    for start in _sentence_starts(text):
        kind = _kind_at(text, start)
        if kind is None:
            continue
        if not text[:start].strip():
            begins = []
            start = 0
        begins.append((start, kind))
    ends = [start for start, _ in begins[1:]] + [len(text)]
    return tuple(
        Step(kind, _title(text[start:end]), start, end)
        for (start, kind), end in zip(begins, ends, strict=True)
    )


def token_spans(steps: Sequence[Step], text: str, pieces: Sequence[str]) -> list[tuple[int, int]] | None:
    """Where each step stands among the tokens of an answer.

    Args:
        steps: Of `text`.
        text: The reasoning.
        pieces: Texts of all the answer's tokens, markers included.

    Returns:
        First token and the one behind the last, a pair a step; None where the tokens do not spell the text,
        as in an answer that was continued.
    """
    whole = "".join(pieces)
    # What is shown was trimmed at its ends.
    at = whole.find(text.strip())
    if at < 0:
        return None
    at -= len(text) - len(text.lstrip())
    ends = []
    total = 0
    for piece in pieces:
        total += len(piece)
        ends.append(total)
    found = []
    for step in steps:
        first = bisect.bisect_right(ends, max(0, at + step.start))
        behind = bisect.bisect_left(ends, at + step.end) + 1
        found.append((first, min(behind, len(pieces))))
    return found


def _sentence_starts(text: str) -> list[int]:
    starts = [0] + [match.end() for match in _SENTENCE.finditer(text)]
    return sorted({start for start in starts if start < len(text)})


def _kind_at(text: str, start: int) -> StepKind | None:
    is_line_start = not text[text.rfind("\n", 0, start) + 1 : start].strip()
    if is_line_start:
        if _HEADING.match(text, start):
            return "heading"
        if _ITEM.match(text, start):
            return "item"
    match = _OPENING.match(text, start)
    if match is None or match.lastgroup is None:
        return None
    behind = text[match.end() : match.end() + 1]
    if match[0][-1].isascii() and match[0][-1].isalpha() and behind.isascii() and behind.isalpha():
        return None  # "Nowhere" is not "Now"
    return next(kind for kind in _OPENERS if kind == match.lastgroup)


def _title(text: str) -> str:
    plain = re.sub(r"^[ \t]*(?:#{1,6}|[-*+•]|\(?\d{1,3}[.)、])[ \t]+", "", text.strip())
    plain = plain.replace("**", "").replace("`", "")
    line = plain.split("\n", 1)[0].strip()
    sentence = re.split(r"(?<=[.!?。！？])(?:\s|$)", line, maxsplit=1)[0].strip()
    if len(sentence) <= _LONGEST_TITLE:
        return sentence
    return sentence[: _LONGEST_TITLE - 1].rstrip() + "…"
