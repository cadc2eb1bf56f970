"""The stretch of a text around its first match, with every match in it marked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from storage.terms import CJK, Term

MATCH_START = "\ue000"
MATCH_END = "\ue001"

_CONTEXT_CHARACTERS = 80
_LEAD_CHARACTERS = 24
_MARKS = re.compile(f"[{MATCH_START}{MATCH_END}]")
_SPACE = re.compile(r"\s+")
# What a word may not touch: another letter or digit of a script with spaces.
_WORD_CHARACTER = rf"[^\W_{CJK}]"
_ACCENTS = "[\u0300-\u036f]*"


class _Folding(dict[int, int]):
    """One character to one character: lower case without accent, so that positions stay what they were."""

    def __missing__(self, codepoint: int) -> int:
        lower = chr(codepoint).lower()
        letter = ord(unicodedata.normalize("NFD", lower)[0]) if 0xC0 <= codepoint < 0x2000 else ord(lower[0])
        self[codepoint] = letter
        return letter


_FOLDING = _Folding()


def snippet(text: str, terms: Sequence[Term]) -> str:
    """About 80 characters of `text` in one line.

    Each match stands between U+E000 and U+E001; an ellipsis stands where the text goes on. Where no match can
    be shown (the index folds a few scripts further than we do) it is the beginning of the text.
    """
    if MATCH_START in text or MATCH_END in text:
        text = _MARKS.sub("", text)
    pattern = pattern_of(terms)
    first = _first_match(text, pattern) if pattern else None
    start = _window_start(text, first.start() if first else 0)
    end = min(len(text), max(start + _CONTEXT_CHARACTERS, first.end() if first else 0))
    window = text[start:end]
    marked = _marked(window, pattern) if pattern else window
    line = " ".join(marked.split())
    return ("…" if start > 0 else "") + line + ("…" if end < len(text) else "")


def _first_match(text: str, pattern: re.Pattern[str]) -> re.Match[str] | None:
    lower = text.lower()
    # Folding a long trace takes milliseconds and is needed only where accents stand in the way.
    first = pattern.search(lower) if len(lower) == len(text) else None
    return first or (None if text.isascii() else pattern.search(folded(text)))


def folded(text: str) -> str:
    """Lower case without accents, character by character."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def _window_start(text: str, match_start: int) -> int:
    """A little before the match, and not inside a word where that can be helped."""
    if match_start <= _LEAD_CHARACTERS:
        return 0
    start = match_start - _LEAD_CHARACTERS
    space = _SPACE.search(text, start, match_start)
    return space.end() if space else start


def _marked(window: str, pattern: re.Pattern[str]) -> str:
    pieces: list[str] = []
    end = 0
    for match in pattern.finditer(folded(window)):
        pieces += [window[end : match.start()], MATCH_START, window[match.start() : match.end()], MATCH_END]
        end = match.end()
    return "".join([*pieces, window[end:]])


def pattern_of(terms: Sequence[Term]) -> re.Pattern[str] | None:
    """What finds any of these terms in a text that is `folded`; None where there is nothing to find."""
    # The longest first: where two terms begin at one place, the alternative that stands first wins.
    sources = sorted({_source(term) for term in terms}, key=len, reverse=True)
    return re.compile("|".join(sources)) if sources else None


def _source(term: Term) -> str:
    words_of = folded(term.text)
    if term.is_cjk:
        return re.escape(words_of)
    words = [_ACCENTS.join(map(re.escape, word)) + _ACCENTS for word in re.findall(r"[^\W_]+", words_of)]
    source = f"(?<!{_WORD_CHARACTER})" + r"[\W_]+".join(words)
    return source if term.is_prefix else f"{source}(?!{_WORD_CHARACTER})"
