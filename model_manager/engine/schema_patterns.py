"""Regular expressions of JSON schemas (ECMA-262) as grammars, mostly of the inside of a JSON string.

Understood is what describes a regular language: literals, classes, groups, alternatives, quantifiers, `^` at
the beginning and `$` at the end. A lazy quantifier describes the same strings as a greedy one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from model_manager.engine.gbnf import (
    EMPTY,
    MAX_REPEATS,
    NOTHING,
    Alt,
    Chars,
    Expr,
    Repeat,
    Seq,
    Text,
    alt,
    seq,
)

Ranges = tuple[tuple[int, int], ...]
Spell = Callable[[Ranges], Expr]

MAX_PATTERN_CHARS: Final = 1000
MAX_DEPTH: Final = 32
_LAST: Final = 0x10FFFF
_DIGITS: Final[Ranges] = ((0x30, 0x39),)
_WORD: Final[Ranges] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Final[Ranges] = (
    *((9, 13), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_LINE_ENDS: Final[Ranges] = ((10, 10), (13, 13), (0x2028, 0x2029))
_CONTROLS: Final = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11}
_SHORT_ESCAPES: Final = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 0x22: '\\"', 0x5C: "\\\\"}
ANY: Final[Ranges] = ((0, _LAST),)


class PatternError(ValueError):
    """The expression is wrong, or describes more than a regular language."""


def pattern(text: str, spell: Spell | None = None) -> Expr:
    """The strings in which `text` is found, without the quotation marks.

    Args:
        text: The expression.
        spell: How one of some characters is written; None is as in JSON.

    Raises:
        PatternError: See there.
    """
    if len(text) > MAX_PATTERN_CHARS:
        raise PatternError(f"it is longer than {MAX_PATTERN_CHARS} characters")
    return _Parser(text, spell or spelled).whole()


def spelled(ranges: Ranges) -> Expr:
    """One of these characters, as it stands in a JSON string.

    Of control characters only those with a short escape are written, and no half of a surrogate pair.
    """
    plain = _without(ranges, ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0xD800, 0xDFFF)))
    options: list[Expr] = [_one_of(plain)] if plain else []
    options += [
        Text(escape)
        for code, escape in _SHORT_ESCAPES.items()
        if any(first <= code <= last for first, last in ranges)
    ]
    return alt(*options) if options else NOTHING


def _one_of(ranges: Ranges) -> Expr:
    ((first, last), *others) = ranges
    return Text(chr(first)) if first == last and not others else Chars(ranges)


def bare(forbidden: str) -> Spell:
    """Characters as they are; none of `forbidden`, nor a zero or a half of a surrogate pair."""
    never = ((0, 0), *((ord(char), ord(char)) for char in forbidden), (0xD800, 0xDFFF))

    def spell(ranges: Ranges) -> Expr:
        left = _without(ranges, never)
        return _one_of(left) if left else NOTHING

    return spell


def _without(ranges: Ranges, removed: Ranges) -> Ranges:
    left = list(ranges)
    for first, last in removed:
        left = [
            piece
            for a, b in left
            for piece in ((a, min(b, first - 1)), (max(a, last + 1), b))
            if piece[0] <= piece[1]
        ]
    return tuple(sorted(set(left)))


class _Parser:
    def __init__(self, text: str, spell: Spell) -> None:
        self._text = text
        self._spell = spell
        self._at = 0
        self._depth = 0

    def whole(self) -> Expr:
        options = []
        while True:
            begin = EMPTY if self._take("^") else Repeat(self._spell(ANY), 0, None)
            body = self._sequence()
            end = EMPTY if self._take("$") else Repeat(self._spell(ANY), 0, None)
            options.append(seq(begin, body, end))
            if self._at == len(self._text):
                return alt(*options)
            if not self._take("|"):
                raise PatternError(f"{self._text[self._at :]!r} is not understood")

    def _sequence(self) -> Expr:
        items: list[Expr] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)$":
            items.append(self._quantified(self._atom()))
        return Seq(tuple(items))

    def _alternatives(self) -> Expr:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())
        return Alt(tuple(options))

    def _atom(self) -> Expr:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._spell(self._class())
        if char == ".":
            return self._spell(_without(ANY, _LINE_ENDS))
        if char == "\\":
            return self._literal(self._escape())
        if char in "^*+?{":
            raise PatternError(f"{char!r} stands where nothing can be meant by it")
        return self._literal(((ord(char), ord(char)),))

    def _literal(self, ranges: Ranges) -> Expr:
        return self._spell(ranges)

    def _group(self) -> Expr:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise PatternError("its groups are nested too deep")
        if self._take("?"):
            if self._take("<") and self._peek() not in "=!":
                while self._next() != ">":
                    pass
            elif not self._take(":"):
                raise PatternError("looking ahead or behind cannot be enforced")
        inside = self._alternatives()
        if not self._take(")"):
            raise PatternError("a group is not closed")
        self._depth -= 1
        return inside

    def _quantified(self, item: Expr) -> Expr:
        bounds = self._bounds()
        if bounds is None:
            return item
        self._take("?")
        low, high = bounds
        if low > MAX_REPEATS or (high is not None and high < low):
            raise PatternError("a quantifier is out of range")
        return Repeat(item, low, None if high is None else min(high, MAX_REPEATS))

    def _bounds(self) -> tuple[int, int | None] | None:
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(mark):
                return bounds
        if not self._take("{"):
            return None
        low = self._number()
        high: int | None = low
        if self._take(","):
            high = None if self._peek() == "}" else self._number()
        if not self._take("}"):
            raise PatternError("a quantifier is not closed")
        return low, high

    def _number(self) -> int:
        digits = ""
        while self._peek() in tuple("0123456789") and len(digits) < 6:
            digits += self._next()
        if not digits:
            raise PatternError("a quantifier lacks its number")
        return int(digits)

    def _class(self) -> Ranges:
        is_negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            one = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._next()
                other = self._member()
                if len(one) != 1 or len(other) != 1 or one[0][0] > other[0][1]:
                    raise PatternError("a range of characters is the wrong way round")
                one = ((one[0][0], other[0][1]),)
            ranges += one
        return _without(ANY, tuple(ranges)) if is_negated else _without(tuple(ranges), ())

    def _member(self) -> Ranges:
        char = self._next()
        if char == "\\":
            return ((8, 8),) if self._take("b") else self._escape()
        return ((ord(char), ord(char)),)

    def _escape(self) -> Ranges:
        char = self._next()
        sets = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
        if char.lower() in sets:
            chosen = sets[char.lower()]
            return chosen if char.islower() else _without(ANY, chosen)
        if char in ("x", "u"):
            n_digits = 2 if char == "x" else 4
            digits = self._text[self._at : self._at + n_digits]
            self._at += n_digits
            try:
                code = int(digits, 16)
            except ValueError:
                raise PatternError(f"\\{char} lacks its digits") from None
        elif char in _CONTROLS:
            code = _CONTROLS[char]
        elif char.isalnum():
            raise PatternError(f"\\{char} cannot be enforced")
        else:
            code = ord(char)
        return ((code, code),)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        if self._at == len(self._text):
            raise PatternError("it ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, char: str) -> bool:
        if self._peek() != char:
            return False
        self._at += 1
        return True
