"""The card of a model as plain text: what somebody on the internet wrote, without what it could do.

No picture is loaded, no address is followed, raw HTML and front matter are left out, and control characters
are taken away: they could move a terminal's cursor.
"""

from __future__ import annotations

import re
import unicodedata

from ui.chat.blocks import split
from ui.chat.markdown import PieceSpec, Span, parse_block

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^(?:---|\.\.\.)[ \t]*$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HIDDEN = re.compile(r"<(script|style|svg)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
_FENCE = re.compile(r"^(?P<mark>```+|~~~+)[^\n]*\n.*?(?:^(?P=mark)[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")
_MOST_CHARACTERS = 100_000


def plain_card(markdown: str) -> str:
    """Paragraphs, lists, tables and code as text; links keep their words and their address."""
    lines: list[str] = []
    for piece in card_pieces(markdown):
        if lines and not piece.is_tight:
            lines.append("")
        lines += _lines(piece)
    return _BLANK_LINES.sub("\n\n", printable("\n".join(lines))).strip("\n")


def card_pieces(markdown: str) -> list[PieceSpec]:
    """The parts of a card in order, without its front matter and raw HTML."""
    text = _without_html(_FRONT_MATTER.sub("", markdown[:_MOST_CHARACTERS], count=1))
    return [piece for block in split(text) for piece in parse_block(block)]


def printable(text: str) -> str:
    """Without control and format characters, but with line ends and tabs."""
    return "".join(
        letter
        for letter in text
        if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co")
    )


def _without_html(text: str) -> str:
    """Outside of code, where `<tag>` is what is meant."""
    parts, end = [], 0
    for match in _FENCE.finditer(text):
        parts += [_stripped(text[end : match.start()]), match.group()]
        end = match.end()
    return "".join([*parts, _stripped(text[end:])])


def _stripped(text: str) -> str:
    return _TAG.sub("", _HIDDEN.sub("", _COMMENT.sub("", text)))


def _lines(piece: PieceSpec) -> list[str]:
    indent = "  " * max(0, len(piece.containers) - 1)
    if piece.kind == "rule":
        return [f"{indent}---"]
    if piece.kind in ("code", "maths"):
        return [f"{indent}    {line}" for line in piece.text.splitlines()]
    if piece.kind == "table":
        return [indent + "  |  ".join(_text(cell) for cell in row) for row in piece.rows]
    text = _text(piece.spans)
    if piece.kind == "heading":
        return [f"{indent}{'#' * piece.level} {text}"]
    first = f"{piece.marker} " if piece.marker else ""
    rest = " " * len(first)
    return [
        f"{indent}{rest if number else first}{line}" for number, line in enumerate(text.splitlines() or [""])
    ]


def _text(spans: tuple[Span, ...]) -> str:
    parts = []
    for span in spans:
        is_named = span.href and span.href.removeprefix("mailto:") != span.text
        parts.append(f"{span.text} ({span.href})" if is_named else span.text)
    return "".join(parts)
