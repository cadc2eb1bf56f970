"""Grammars of JSON numbers within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_manager.engine.gbnf import NOTHING, Alt, Expr, Repeat, alt, chars, maybe, seq
from model_manager.errors import SchemaUnsupported

_DIGIT = chars("0-9")
_MOST_DIGITS = 16
"""Of a whole number without a bound; a small model would not stop writing digits."""

_PRECISION = 15
"""Decimal digits that a double keeps: a fraction of more could be rounded over its bound."""


def bounded(kind: str, schema: Mapping[str, Any], path: str) -> Expr:
    """The numbers that a part of a schema allows.

    Args:
        kind: "integer" or "number".
        schema: The part.
        path: Where it is.

    Raises:
        SchemaUnsupported: Its bounds cannot be enforced.
    """
    low, high = _limit(schema, "minimum", path), _limit(schema, "maximum", path)
    above, below = _limit(schema, "exclusiveMinimum", path), _limit(schema, "exclusiveMaximum", path)
    if schema.get("multipleOf", 1) != 1:
        raise SchemaUnsupported(path, "multipleOf cannot be enforced")
    is_above = above is not None and (low is None or above >= low)
    is_below = below is not None and (high is None or below <= high)
    low, high = above if is_above else low, below if is_below else high
    if kind == "integer" or schema.get("multipleOf") is not None:
        low = low + 1 if is_above and low is not None else low
        high = high - 1 if is_below and high is not None else high
    if low is not None and high is not None and low > high:
        return NOTHING
    if kind == "integer" or schema.get("multipleOf") is not None:
        return integers(low, high)
    return numbers(low, high, above=is_above, below=is_below)


def _limit(schema: Mapping[str, Any], word: str, path: str) -> int | None:
    value = schema.get(word)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SchemaUnsupported(path, f"{word} is a number")
    if value != value or abs(value) >= 10**20 or value != int(value):
        raise SchemaUnsupported(path, f"{word}: only whole numbers below 10^20 can be enforced")
    return int(value)


def integers(low: int | None = None, high: int | None = None) -> Expr:
    """Whole numbers from `low` to `high`, both included."""
    if low is None and high is None:
        return alt("0", seq(maybe("-"), chars("1-9"), Repeat(_DIGIT, 0, _MOST_DIGITS - 1)))
    n_digits = max(_MOST_DIGITS, *(len(str(abs(bound))) for bound in (low, high) if bound is not None))
    most = 10**n_digits - 1
    low = -most if low is None else low
    high = most if high is None else high
    options = []
    if low < 0:
        options.append(seq("-", _magnitudes(max(1, -high), -low)))
    options.append(_magnitudes(max(low, 0), high))
    return alt(*(option for option in options if option != NOTHING))


def numbers(
    low: int | None = None, high: int | None = None, *, above: bool = False, below: bool = False
) -> Expr:
    """Numbers from `low` to `high`; where `above` or `below` is true, that bound itself is left out."""
    if low is None and high is None:
        exponent = seq(chars("eE"), maybe(chars("+-")), Repeat(_DIGIT, 1, 2))
        whole = seq(maybe("-"), alt("0", seq(chars("1-9"), Repeat(_DIGIT, 0, _MOST_DIGITS - 1))))
        return seq(whole, maybe(".", Repeat(_DIGIT, 1, _PRECISION)), maybe(exponent))
    longest = max(len(str(abs(bound))) for bound in (low, high) if bound is not None)
    n_places = max(1, _PRECISION - longest)
    most = 10 ** max(_PRECISION, longest) - 1
    options = []
    if low is None or low < 0:
        nearest, is_open = (-high, below) if high is not None and high < 0 else (0, True)
        farthest = most if low is None else -low
        options.append(seq("-", _span(nearest, farthest, n_places, above=is_open, below=above)))
    if high is None or high >= 0:
        starts_at_zero = low is None or low < 0
        options.append(
            _span(
                0 if low is None or low < 0 else low,
                most if high is None else high,
                n_places,
                above=above and not starts_at_zero,
                below=below,
            )
        )
    return alt(*(option for option in options if option != NOTHING and option != seq("-", NOTHING)))


def _span(low: int, high: int, n_places: int, *, above: bool, below: bool) -> Expr:
    """Decimals of at least 0."""
    options: list[Expr] = []
    if low < high:
        if above:
            options.append(seq(f"{low}.", Repeat(_DIGIT, 0, n_places - 1), chars("1-9")))
        whole = _magnitudes(low + above, high - 1)
        if whole != NOTHING:
            options.append(seq(whole, maybe(".", Repeat(_DIGIT, 1, n_places))))
    if not below and (low < high or (low == high and not above)):
        options.append(seq(str(high), maybe(".", Repeat(chars("0"), 1, n_places))))
    return alt(*options)


def _magnitudes(low: int, high: int) -> Expr:
    """Whole numbers of at least 0, without leading zeros."""
    if low > high:
        return NOTHING
    options = []
    for n_digits in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (n_digits - 1) if n_digits > 1 else 0)
        options.append(_same_length(str(first), str(min(high, 10**n_digits - 1))))
    return alt(*options)


def _same_length(low: str, high: str) -> Expr:
    n_rest = len(low) - 1
    if low == high:
        return seq(low)
    if low[1:] == "0" * n_rest and high[1:] == "9" * n_rest:
        leading = chars(f"{low[0]}-{high[0]}") if low[0] != high[0] else seq(low[0])
        return seq(leading, Repeat(_DIGIT, n_rest, n_rest)) if n_rest else leading
    if low[0] == high[0]:
        return seq(low[0], _same_length(low[1:], high[1:]))
    options = [seq(low[0], _same_length(low[1:], "9" * n_rest))]
    if int(high[0]) - int(low[0]) > 1:
        between = chars(f"{int(low[0]) + 1}-{int(high[0]) - 1}")
        options.append(seq(between, Repeat(_DIGIT, n_rest, n_rest)))
    options.append(seq(high[0], _same_length("0" * n_rest, high[1:])))
    return Alt(tuple(options))
