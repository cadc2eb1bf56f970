from __future__ import annotations

import pytest

from model_manager.engine.gbnf import (
    EMPTY,
    NOTHING,
    Chars,
    Ref,
    Repeat,
    Text,
    alt,
    chars,
    check,
    maybe,
    seq,
    written,
)
from model_manager.errors import GrammarRefused


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Text('a"\\\n'), r'"a\"\\\n"'),
        (chars("a-z_-"), r"[a-z_\x2D]"),
        (Chars(((0x5B, 0x5E),), is_negated=True), r"[^\[-\x5E]"),
        (seq("a", alt("b", seq("c", "d")), EMPTY), '"a" ("b" | "c" "d")'),
        (maybe("a", "b"), '("a" "b")?'),
        (Repeat(maybe("a"), 2, None), '("a"?){2,}'),
        (Repeat(Text("a"), 3, 3), '"a"{3}'),
        (Repeat(Text("a"), 1, 1), '"a"'),
        (Repeat(Text("a"), 0, 0), '""'),
        (EMPTY, '""'),
        (alt("a", NOTHING), '"a"'),
    ],
)
def test_expressions_are_written(rule: object, text: str) -> None:
    grammar = written({"root": rule})  # type: ignore[dict-item]  # one of them
    assert grammar == f"root ::= {text}\n"
    check(grammar)


def test_only_what_is_reached_and_ends_is_written() -> None:
    rules = {
        "root": seq(Ref("a"), maybe(Ref("loop"))),
        "a": alt("x", Ref("loop")),
        "loop": seq("y", Ref("loop")),
        "unused": Text("z"),
    }
    assert written(rules) == 'root ::= a ""\na ::= "x"\n' or written(rules) == 'root ::= a\na ::= "x"\n'
    assert written({"root": Ref("loop"), "loop": Ref("loop")}) is None


@pytest.mark.parametrize(
    "text",
    [
        'root ::= "a" # a comment ( "\n  | b*\n\nb ::= [^\\]"]{2,3} .\n',
        'root ::= ("a" |\n  "b")+ <[12]> !<think>\r\n',
    ],
)
def test_good_grammars_pass(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no rule named root"),
        ("start ::= [a]", "no rule named root"),
        ('root ::= "a"\nb ::= c', "line 2: there is no rule named c"),
        ('root ::= "a\n', "line 1: '\"a"),
        ("root ::= (a", "a bracket is not closed"),
        ("root ::= a))", "line 1: a bracket too many"),
        ("root ::= " + "(" * 100 + ")" * 100, "nested too deep"),
        ("root ::= $", "is not understood"),
        ('root ::= "a\x00"', "characters that are not text"),
        ('root ::= "\ud800"', "characters that are not text"),
        ("root ::= " + '"a"{2000} ' * 30, "repeats more than"),
        ("#" * 300_000, "larger than 256 KiB"),
    ],
)
def test_wrong_grammars_are_refused_with_their_line(text: str, reason: str) -> None:
    with pytest.raises(GrammarRefused) as caught:
        check(text)
    assert reason in caught.value.reason
