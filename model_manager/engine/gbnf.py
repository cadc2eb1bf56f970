"""GBNF, the language of llama.cpp's grammars: expressions, writing them, and looking over a foreign text.

Source: llama.cpp@0c1e57098 grammars/README.md and src/llama-grammar.cpp.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from model_manager.errors import GrammarRefused

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 64
MAX_REPEATS: Final = 2000
"""Of one item; llama.cpp takes no more."""

MAX_REPEATS_SUM: Final = 50_000
"""Of all items: each is written out in memory."""


# --- expressions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """Exactly these characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of these ranges of code points, both ends included, or of all others."""

    ranges: tuple[tuple[int, int], ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """Any one of them; none is possible where there are none."""

    options: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Several of one kind; `n_max` None is any number."""

    item: Expr
    n_min: int
    n_max: int | None


@dataclass(frozen=True, slots=True)
class Ref:
    """What a rule says."""

    name: str


Expr = Text | Chars | Seq | Alt | Repeat | Ref
EMPTY: Final = Seq(())
NOTHING: Final = Alt(())


def seq(*items: Expr | str) -> Expr:
    """One after the other; strings are texts."""
    parts = tuple(Text(item) if isinstance(item, str) else item for item in items)
    return parts[0] if len(parts) == 1 else Seq(parts)


def alt(*options: Expr | str) -> Expr:
    """Any one of them, each named once."""
    parts = dict.fromkeys(Text(option) if isinstance(option, str) else option for option in options)
    return next(iter(parts)) if len(parts) == 1 else Alt(tuple(parts))


def maybe(*items: Expr | str) -> Expr:
    """All of it or nothing."""
    return Repeat(seq(*items), 0, 1)


def chars(spelled: str) -> Chars:
    """A class of single characters and ranges of them, as in `a-z_`; a `-` stands last."""
    found = re.findall(r"(.)-(.)|(.)", spelled, re.DOTALL)
    return Chars(tuple((ord(first or one), ord(last or one)) for first, last, one in found))


def prefixed(rules: Mapping[str, Expr], prefix: str) -> dict[str, Expr]:
    """The same rules under other names, so that they can stand beside others."""

    def rename(expr: Expr) -> Expr:
        match expr:
            case Ref(name):
                return Ref(prefix + name)
            case Seq(items):
                return Seq(tuple(map(rename, items)))
            case Alt(options):
                return Alt(tuple(map(rename, options)))
            case Repeat(item, n_min, n_max):
                return Repeat(rename(item), n_min, n_max)
            case _:
                return expr

    return {prefix + name: rename(rule) for name, rule in rules.items()}


# --- writing ---------------------------------------------------------------------------------------------


def productive(rules: Mapping[str, Expr]) -> set[str]:
    """The rules that some finite text obeys."""
    users: dict[str, list[str]] = {name: [] for name in rules}
    for name, rule in rules.items():
        for used in set(_refs(rule)):
            users[used].append(name)
    known: set[str] = set()
    left = list(rules)
    while left:
        name = left.pop()
        if name not in known and _can_end(rules[name], known):
            known.add(name)
            left += users[name]
    return known


def written(rules: Mapping[str, Expr], root: str = "root") -> str | None:
    """A grammar's text without what could never come to an end; None where nothing is left of it."""
    ending = productive(rules)
    if root not in ending:
        return None
    pruned = {name: _pruned(rule, ending) for name, rule in rules.items() if name in ending}
    reached, left = {root}, [root]
    while left:
        new = set(_refs(pruned[left.pop()])) - reached
        reached |= new
        left += new
    return "".join(f"{name} ::= {_write(pruned[name], 0)}\n" for name in pruned if name in reached)


def _can_end(expr: Expr, known: set[str]) -> bool:
    match expr:
        case Ref(name):
            return name in known
        case Seq(items):
            return all(_can_end(item, known) for item in items)
        case Alt(options):
            return any(_can_end(option, known) for option in options)
        case Repeat(item, n_min, _):
            return n_min == 0 or _can_end(item, known)
        case _:
            return True


def _pruned(expr: Expr, known: set[str]) -> Expr:
    match expr:
        case Seq(items):
            return Seq(tuple(_pruned(item, known) for item in items))
        case Alt(options):
            return alt(*(_pruned(option, known) for option in options if _can_end(option, known)))
        case Repeat(item, n_min, n_max):
            return Repeat(_pruned(item, known), n_min, n_max) if _can_end(item, known) else EMPTY
        case _:
            return expr


def _refs(expr: Expr) -> Iterable[str]:
    match expr:
        case Ref(name):
            yield name
        case Seq(items) | Alt(items):
            for item in items:
                yield from _refs(item)
        case Repeat(item, _, _):
            yield from _refs(item)


def _write(expr: Expr, binding: int) -> str:
    """The text of an expression; `binding` is 0 in a rule, 1 in a sequence, 2 before a repetition."""
    match expr:
        case Text(text):
            return '"' + "".join(_escaped(ord(c), '"\\') for c in text) + '"'
        case Chars(ranges, is_negated):
            inside = "".join(
                _escaped(first, "[]\\^-") + ("" if first == last else "-" + _escaped(last, "[]\\^-"))
                for first, last in ranges
            )
            return f"[{'^' if is_negated else ''}{inside}]"
        case Ref(name):
            return name
        case Seq(items):
            text = " ".join(_write(item, 1) for item in items if item != EMPTY) or '""'
            return f"({text})" if binding > 1 else text
        case Alt(options):
            text = " | ".join(_write(option, 0) for option in options)
            return f"({text})" if binding > 0 else text
        case Repeat(_, _, 0):
            return '""'
        case Repeat(item, n_min, n_max):
            text = _write(item, 2) + _quantifier(n_min, n_max)
            return f"({text})" if binding > 1 else text


def _quantifier(n_min: int, n_max: int | None) -> str:
    marks = {(0, None): "*", (1, None): "+", (0, 1): "?", (1, 1): ""}
    if (n_min, n_max) in marks:
        return marks[n_min, n_max]
    return f"{{{n_min}}}" if n_min == n_max else f"{{{n_min},{'' if n_max is None else n_max}}}"


_SHORT_ESCAPES: Final = {0x0A: "\\n", 0x09: "\\t", 0x22: '\\"', 0x5C: "\\\\", 0x5B: "\\[", 0x5D: "\\]"}


def _escaped(code: int, special: str) -> str:
    if code in _SHORT_ESCAPES and (code < 0x20 or chr(code) in special):
        return _SHORT_ESCAPES[code]
    if code < 0x20 or code == 0x7F or chr(code) in special:
        return f"\\x{code:02X}"
    return f"\\U{code:08X}" if 0xD800 <= code < 0xE000 else chr(code)


# --- looking over ----------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+|#[^\n]*)"
    r'|(?P<string>"(?:\\.|[^"\\])*")'
    r"|(?P<chars>\[(?:\\.|[^\]\\])*\])"
    r"|(?P<define>::=)"
    r"|(?P<name>[A-Za-z0-9-]+)"
    r"|(?P<token>!?<[^>\n]*>)"
    r"|\{(?P<repeat>[^}\n]*)\}"
    r"|(?P<mark>[()|*+?.])",
    re.DOTALL,
)


def check(text: str) -> None:
    """Look over a grammar that somebody wrote, before llama.cpp, which says little, reads it.

    Raises:
        GrammarRefused: It is too large or too deep, or has an error that is easily seen.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise GrammarRefused(f"it is larger than {MAX_BYTES // 1024} KiB")
    if re.search("[\x00\ud800-\udfff]", text):
        raise GrammarRefused("it has characters that are not text")
    _check_names(text, _scan(text))


def _scan(text: str) -> list[tuple[str, str, int]]:
    """Kind, text and place of what the grammar consists of."""
    found: list[tuple[str, str, int]] = []
    depth = repeats = at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise GrammarRefused(f"line {_line(text, at)}: {text[at : at + 20]!r} is not understood")
        kind, token = match.lastgroup or "", match[match.lastgroup or 0]
        depth += {"(": 1, ")": -1}.get(token, 0) if kind == "mark" else 0
        if not 0 <= depth <= MAX_DEPTH:
            reason = "a bracket too many is closed" if depth < 0 else "brackets are nested too deep"
            raise GrammarRefused(f"line {_line(text, at)}: {reason}")
        if kind == "repeat":
            repeats += max((int(number[:9]) for number in re.findall(r"\d+", token)), default=0)
        if kind != "space":
            found.append((kind, token, at))
        at = match.end()
    if depth:
        raise GrammarRefused("a bracket is not closed")
    if repeats > MAX_REPEATS_SUM:
        raise GrammarRefused(f"it repeats more than {MAX_REPEATS_SUM} items")
    return found


def _check_names(text: str, tokens: list[tuple[str, str, int]]) -> None:
    names = [
        (token, at, after == "define")
        for (kind, token, at), (after, _, _) in itertools.pairwise([*tokens, ("", "", 0)])
        if kind == "name"
    ]
    defined = {name for name, _at, is_definition in names if is_definition}
    if "root" not in defined:
        raise GrammarRefused("it has no rule named root, where it begins")
    for name, at, _ in names:
        if name not in defined:
            raise GrammarRefused(f"line {_line(text, at)}: there is no rule named {name}")


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
