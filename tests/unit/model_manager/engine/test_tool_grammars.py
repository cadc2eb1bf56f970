from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Final

import pytest

from model_manager.engine import tool_formats, tool_tags
from model_manager.engine.answer_reader import AnswerPlan, AnswerReader
from model_manager.engine.constraint import Bound, ConstraintPlan
from model_manager.engine.cursor import MarkerTokens
from model_manager.engine.dialects import Dialect
from model_manager.engine.families import HARMONY, Family
from model_manager.engine.gbnf import check
from model_manager.engine.tool_grammars import arguments_grammar, call_grammar
from model_manager.errors import GrammarRefused, SchemaUnsupported
from model_manager.types import Tool, ToolChoice

HERMES: Final = Family("hermes", tools=tool_formats.HERMES)
XML: Final = Family("xml", tools=tool_tags.QWEN_XML)
ONE: Final = Tool("one", "", {"properties": {"a": {"type": "integer"}}, "required": ["a"]}, strict=True)
TWO: Final = Tool("two", "", {"type": "object", "properties": {}})
ODD: Final = Tool("odd", "", {"properties": {"a": {"not": {}}}})


@pytest.mark.parametrize("family", [HERMES, HARMONY, XML])
def test_grammar_of_a_call_has_the_name_only_where_it_is_open(family: Family) -> None:
    any_of_two = call_grammar(family, (ONE, TWO), ToolChoice("required"))
    named = call_grammar(family, (ONE, TWO), ToolChoice("required", "two"))
    assert any_of_two is not None
    assert named is not None
    for text in (any_of_two, named):
        check(text)
    assert any_of_two.startswith('root ::= "one')
    assert "t0-root" in any_of_two
    assert named.startswith("root ::= t0-root")


@pytest.mark.parametrize("family", [HERMES, XML])
def test_only_a_strict_tool_is_refused(family: Family) -> None:
    assert arguments_grammar(family, ODD)
    with pytest.raises(SchemaUnsupported) as caught:
        arguments_grammar(family, replace(ODD, strict=True))
    assert caught.value.path == "/odd/parameters/properties/a"


def test_tool_without_parameters_takes_none() -> None:
    assert '"{" ws "}"' in arguments_grammar(HERMES, TWO)


# --- arguments in the middle of an answer ------------------------------------------------------------------


class Digits:
    """A grammar that is `{"`, then nine digits."""

    def __init__(self, text: str) -> None:
        self.begun = text
        self.n_left = 9

    def permits(self, token_id: int) -> bool:
        return token_id == 7

    def refused(self) -> Any:
        raise AssertionError

    def accept(self, token_id: int) -> None:
        assert token_id == 7
        self.n_left -= 1

    def can_end(self) -> bool:
        return self.n_left == 0


class DigitsGrammar:
    def __init__(self) -> None:
        self.begun: list[Digits] = []

    def begin(self, text: str = "") -> Digits:
        if not text.startswith('{"'):
            raise GrammarRefused("")
        self.begun.append(Digits(text))
        return self.begun[-1]


def reader(family: Family, grammar: Bound) -> AnswerReader:
    plan = AnswerPlan(
        id="a",
        model="m",
        dialect=Dialect(family, MarkerTokens(family.markers)),
        start="turn",
        budget_tokens=None,
        stop=(),
        wants_progress=False,
        wants_usage_apart=False,
        tools=(ONE, TWO),
        constraint=ConstraintPlan(calls={"one": grammar}),
    )
    return AnswerReader(plan)


class Recorder:
    """A grammar that only remembers what it began with."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, text: str = "") -> Digits:
        self.begun.append(text)
        return Digits(text)


GLM: Final = Family("glm", tools=tool_tags.GLM)


@pytest.mark.parametrize("n_pieces", [1, 3, 40])
@pytest.mark.parametrize(
    ("family", "head", "behind"),
    [
        (XML, "<tool_call>\n<function=one>", "\n<para"),
        (GLM, "<tool_call>one", "<arg_key>"),
        (GLM, "<tool_call>one", "\n<arg_key>a"),
    ],
)
def test_arguments_one_by_one_are_bound_behind_the_name(
    family: Family, head: str, behind: str, n_pieces: int
) -> None:
    grammar = Recorder()
    answer = reader(family, grammar)
    text = head + behind
    size = -(-len(text) // n_pieces)
    for at in range(0, len(text), size):
        answer.read(99, text[at : at + size])
        if grammar.begun:
            break
    (begun,) = grammar.begun
    assert text[: at + size] == head + begun


CALLS: Final = {
    "hermes": (HERMES, '<tool_call>\n{"name": "%s", "arguments": '),
    "harmony": (HARMONY, "<|channel|>commentary to=functions.%s <|constrain|>json<|message|>"),
}


@pytest.mark.parametrize("kind", list(CALLS))
@pytest.mark.parametrize("name", ["one", "two"])
def test_arguments_of_a_strict_tool_are_bound_from_where_they_begin(kind: str, name: str) -> None:
    family, lead = CALLS[kind]
    grammar = DigitsGrammar()
    answer = reader(family, grammar)
    constraint = answer.constraint
    assert constraint is not None
    text = lead % name + '{"'
    cuts = sorted(random.Random(1).sample(range(1, len(text)), 6))
    for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True):
        assert not constraint.holds
        answer.read(99, text[first:last])
    assert constraint.holds is (name == "one")
    if name == "two":
        return
    assert grammar.begun[0].begun == '{"'
    for n in range(9):
        assert constraint.holds
        assert constraint.permits(7)
        assert not constraint.permits(8)
        constraint.accept(7)
        answer.read(7, str(n))
    assert not constraint.holds
