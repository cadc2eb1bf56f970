"""Grammars of JSON strings: of any, of a length, of a format."""

from __future__ import annotations

from typing import Final

from model_manager.engine.gbnf import Expr, Ref, Repeat, alt, chars, seq
from model_manager.engine.schema_patterns import pattern, spelled

_HEX = chars("0-9a-fA-F")

CHARACTER: Final = alt(
    spelled(((0x20, 0x10FFFF),)),
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\/",
    # Not a half of a surrogate pair: that is JSON, but no text.
    seq("\\u", alt(seq(chars("0-9a-cA-CefEF"), _HEX), seq(chars("dD"), chars("0-7"))), Repeat(_HEX, 2, 2)),
)
"""One character of a string."""

_DATE: Final = (
    "(?:[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)-02-29)"
)
_TIME: Final = (
    "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

FORMATS: Final = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "uuid": "[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "ipv4": f"{_BYTE}(?:\\.{_BYTE}){{3}}",
    "email": "[a-zA-Z0-9_+]{1,20}(?:[.-][a-zA-Z0-9_+]{1,20}){0,2}"
    "@(?:[a-z0-9]{1,20}(?:-[a-z0-9]{1,20})?\\.){1,3}[a-z]{2,12}",
}
"""Formats that are enforced, as regular expressions; all others are only notes for people."""


def strings(low: int = 0, high: int | None = None) -> Expr:
    """Strings of so many characters; the rule `char` must be there."""
    return seq('"', Repeat(Ref("char"), low, high), '"')


def matching(expression: str) -> Expr:
    """Strings in which a regular expression is found.

    Raises:
        PatternError: It is wrong or cannot be enforced.
    """
    return seq('"', pattern(expression), '"')


def formatted(name: str) -> Expr:
    """Strings of one of `FORMATS`."""
    return matching(f"^(?:{FORMATS[name]})$")
