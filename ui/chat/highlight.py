"""Colours for source code: Pygments finds the tokens, a table of ours colours them for either theme."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import (
    Comment,
    Error,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Token,
    _TokenType,
)
from pygments.util import ClassNotFound
from PySide6.QtGui import QColor, QFont, QTextCharFormat

TokenRun = tuple[int, int, _TokenType]
"""Start, length, type: in characters of the source."""

# Contrast of each on `theme.code_background` is at least 4.5 : 1. Token type -> light, dark, is italic.
_COLORS: dict[_TokenType, tuple[str, str, bool]] = {
    Comment: ("#6e675c", "#9b9386", True),
    Comment.Preproc: ("#8a4b08", "#e3a566", False),
    Keyword: ("#8b2f6f", "#dd9cc9", False),
    Keyword.Constant: ("#8a4b08", "#e3a566", False),
    Keyword.Type: ("#1f5f8b", "#8dc1e8", False),
    Name.Builtin: ("#1f5f8b", "#8dc1e8", False),
    Name.Class: ("#1f5f8b", "#8dc1e8", False),
    Name.Function: ("#23558f", "#97b8f0", False),
    Name.Decorator: ("#8a4b08", "#e3a566", False),
    Name.Exception: ("#a5311f", "#f2968a", False),
    Name.Tag: ("#8b2f6f", "#dd9cc9", False),
    Name.Attribute: ("#23558f", "#97b8f0", False),
    Number: ("#8a4b08", "#e3a566", False),
    Operator.Word: ("#8b2f6f", "#dd9cc9", False),
    Operator: ("#5d564b", "#bdb5a8", False),
    Punctuation: ("#5d564b", "#bdb5a8", False),
    String: ("#1d6a3a", "#93cf98", False),
    String.Escape: ("#8a4b08", "#e3a566", False),
    Generic.Inserted: ("#1d6a3a", "#93cf98", False),
    Generic.Deleted: ("#a5311f", "#f2968a", False),
    Generic.Heading: ("#23558f", "#97b8f0", False),
    Generic.Subheading: ("#8b2f6f", "#dd9cc9", False),
    Generic.Prompt: ("#6e675c", "#9b9386", False),
}


def load_lexer(language: str) -> Lexer | None:
    """Lexer by the name written behind a fence; None for one that Pygments lacks.

    Slow the first time, on any thread: its module is imported and its patterns compiled.
    """
    if language in ("text", "plain", "plaintext", "txt"):
        return None
    try:
        lexer: Lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    list(lexer.get_tokens_unprocessed("x = 1\n"))
    return lexer


def tokens(source: str, lexer: Lexer, offset: int = 0) -> list[TokenRun]:
    """Coloured stretches of `source`, ordered; about 1 ms for 1,000 characters.

    Every start is counted from `offset`.
    """
    # `get_tokens` would normalize line ends and move every offset.
    return [
        (offset + start, len(value), kind)
        for start, kind, value in lexer.get_tokens_unprocessed(source)
        if _named(kind) is not None
    ]


@lru_cache(maxsize=1024)
def _named(kind: _TokenType) -> _TokenType | None:
    """The nearest ancestor that has a colour."""
    walk: Any = kind
    while walk is not None and walk is not Token and walk is not Error:
        if walk in _COLORS:
            return walk  # type: ignore[no-any-return]  # Pygments types its parents as Any
        walk = walk.parent
    return None


@lru_cache(maxsize=256)
def char_format(kind: _TokenType, is_dark: bool) -> QTextCharFormat:
    """How a token looks."""
    named = _named(kind)
    result = QTextCharFormat()
    if named is not None:
        light, dark, is_italic = _COLORS[named]
        result.setForeground(QColor(dark if is_dark else light))
        result.setFontItalic(is_italic)
        if named is Keyword or named is Operator.Word:
            result.setFontWeight(QFont.Weight.DemiBold)
    return result


def safe_line(lines: Sequence[str], before: int, window: int) -> int:
    """Number of the line to start lexing anew from while code grows, at most `window` lines back.

    A line that begins at the left edge behind an empty one is seldom inside a string or comment; the whole is
    lexed once more when the fence closes.
    """
    lowest = max(0, before - window)
    for number in range(before, lowest, -1):
        if number < len(lines) and lines[number][:1].strip() and not lines[number - 1].strip():
            return number
    return lowest
