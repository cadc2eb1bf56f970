"""Grammars of strings, in JSON or as others write them: of any, of a length, of a format, a certain one."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from model_manager.engine.gbnf import NOTHING, Expr, Ref, Repeat, Text, alt, chars, seq
from model_manager.engine.schema_patterns import ANY, bare, pattern, spelled

BARE_NAME: Final = re.compile(r"[\w.$-]+")
"""Names that can stand without quotes in every notation."""

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


class Writing:
    """How strings, and the names of an object's members, stand in the text of a value.

    Attributes:
        character: One character of a string; the rule `char` is to be this.
        any_name: Any name.
    """

    def __init__(self, quote: str = '"') -> None:
        """As JSON has it; with another `quote`, texts are as they are between two of them, and names bare."""
        self._quote = quote
        self._is_json = quote == '"'
        self._spell = spelled if self._is_json else bare(quote[0])
        self.character = CHARACTER if self._is_json else self._spell(ANY)
        self.any_name: Expr = Ref("string") if self._is_json else Repeat(chars("a-zA-Z0-9_"), 1, 64)

    def strings(self, low: int = 0, high: int | None = None) -> Expr:
        """Strings of so many characters; the rule `char` must be there."""
        return seq(self._quote, Repeat(Ref("char"), low, high), self._quote)

    def matching(self, expression: str) -> Expr:
        """Strings in which a regular expression is found.

        Raises:
            PatternError: It is wrong or cannot be enforced.
        """
        return seq(self._quote, pattern(expression, self._spell), self._quote)

    def formatted(self, name: str) -> Expr:
        """Strings of one of `FORMATS`."""
        return self.matching(f"^(?:{FORMATS[name]})$")

    def name(self, name: str) -> Expr:
        """The name of a member; nothing where it cannot be written."""
        if self._is_json:
            return self.literal(name)
        return Text(name) if BARE_NAME.fullmatch(name) else NOTHING

    def literal(self, value: Any) -> Expr:
        """A value; nothing where it cannot be written."""
        if not self._is_json and isinstance(value, str):
            return NOTHING if self._quote[0] in value else seq(self._quote, value, self._quote)
        if not self._is_json and isinstance(value, list):
            return seq("[", *[part for item in value for part in (",", self.literal(item))][1:], "]")
        if not self._is_json and isinstance(value, dict):
            members = [(",", self.name(key), ":", self.literal(one)) for key, one in value.items()]
            return seq("{", *[part for member in members for part in member][1:], "}")
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        return seq(json.dumps(value) if any(0xD800 <= ord(char) < 0xE000 for char in text) else text)
