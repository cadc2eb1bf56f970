"""What a grammar lets a model write of a call is read as arguments that meet the tool's schema."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

import pytest

from model_manager.engine.answer_parser import AnswerParser
from model_manager.engine.argument_grammars import argument_rules
from model_manager.engine.cursor import MarkerTokens
from model_manager.engine.dialects import Dialect
from model_manager.engine.families import Family, family_of
from model_manager.engine.gbnf import check, written
from model_manager.engine.tool_grammars import arguments_grammar, call_grammar
from model_manager.errors import SchemaUnsupported
from model_manager.types import Tool, ToolChoice
from tests.helpers.schemas import Schema, is_valid, random_text

TEMPLATES: Final = Path(__file__).parents[3] / "data" / "templates"
NAMES: Final = (
    *("Qwen3.5-4B", "Qwen3-Coder", "GLM-4.6", "GLM-4.7-Flash", "inclusionai-ling-3.0-flash", "tencent-Hy3"),
    *("MiniMax-M2", "MiniMax-M3", "deepseek-ai-DeepSeek-V3.2", "deepseek-ai-DeepSeek-V4", "Kimi-K3"),
    *("google-gemma-4-31B-it", "ByteDance-Seed-OSS", "openbmb-MiniCPM5-1B", "LFM2-8B-A1B"),
    "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
)
PROPERTIES: Final[dict[str, Schema]] = {
    "city": {"enum": ["Paris", "New York", "5"]},
    "unit": {"const": "°C"},
    "days": {"type": "integer", "minimum": 1, "maximum": 30},
    "code": {"type": "string", "pattern": "^[a-z<]{2,4}\\d$"},
    "short": {"type": "string", "minLength": 1, "maxLength": 4},
    "long": {"type": "string", "minLength": 2},
    "born": {"type": "string", "format": "date"},
    "any_text": {"type": "string"},
    "perhaps": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "either": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "integer", "minimum": 5}]},
    "flag": {"type": "boolean"},
    "list": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
    "place": {
        "type": "object",
        "properties": {"x": {"type": "number"}, "name": {"type": "string", "maxLength": 3}},
        "required": ["x"],
    },
    "colour": {"$ref": "#/$defs/colour"},
    "anything": {},
}
DEFINITIONS: Final = {"colour": {"enum": ["red", "blue", None, 3]}}


def family(name: str) -> Family:
    return family_of((TEMPLATES / f"{name}.jinja").read_text("utf-8"))


def called(family: Family, tool: Tool, written_behind: str) -> Any:
    """The arguments of the call that begins with what is put into a model's mouth."""
    parser = AnswerParser(Dialect(family, MarkerTokens(family.markers)), start="answer", tools=(tool,))
    deltas = [
        delta
        for char in family.call_lead(tool.name) + written_behind
        for delta in parser.feed(1 << 20, char).calls
    ]
    assert parser.n_complete_calls == 1, written_behind
    return json.loads("".join(delta.arguments for delta in deltas))


@pytest.mark.parametrize("name", NAMES)
def test_every_text_of_the_grammar_is_a_call_that_meets_the_schema(name: str) -> None:
    notation = family(name)
    assert notation.tools is not None
    assert notation.tools.form is not None
    rng = random.Random(name)
    for number in range(20):
        chosen = rng.sample(list(PROPERTIES), rng.randint(0, 5))
        schema = {
            "type": "object",
            "properties": {one: PROPERTIES[one] for one in chosen},
            "required": [one for one in chosen if rng.random() < 0.5],
            "additionalProperties": False,
            "$defs": DEFINITIONS,
        }
        rules = argument_rules(notation.tools.form, schema)
        check(written(rules) or "")
        text = random_text(rules, random.Random(number))
        arguments = called(notation, Tool("f", "", schema), text)
        assert is_valid(schema, arguments), (schema, text, arguments)
        assert set(schema["required"]) <= set(arguments) <= set(chosen)


@pytest.mark.parametrize("name", NAMES)
def test_a_text_ends_where_its_notation_ends_it(name: str) -> None:
    """Everything that could be an end but is none may stand in a string."""
    notation = family(name)
    assert notation.tools is not None
    assert notation.tools.form is not None
    end = notation.tools.form.value_end.format(name="text")
    schema: Schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    rules = argument_rules(notation.tools.form, schema)
    seen: set[str] = set()
    for seed in range(40):
        value = called(notation, Tool("f", "", schema), random_text(rules, random.Random(seed)))["text"]
        seen |= set(value)
        assert not end or end not in value
    assert set(end[:1]) <= seen


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"properties": {"a b": {}}}, "/properties/a b"),
        ({"properties": {"a": {"type": "string", "minLength": 1, "pattern": "a"}}}, "/properties/a"),
        ({"properties": {"a": {"not": {}}}}, "/properties/a"),
        ({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}, ""),
    ],
)
def test_what_a_notation_cannot_say_is_refused_where_it_is_demanded(schema: Schema, path: str) -> None:
    notation, tool = family("GLM-4.6"), Tool("f", "", schema, strict=True)
    with pytest.raises(SchemaUnsupported) as caught:
        arguments_grammar(notation, tool)
    assert caught.value.path == f"/f/parameters{path}"
    assert "</tool_call>" in arguments_grammar(notation, Tool("f", "", schema))


def test_names_and_arguments_of_several_tools_are_bound_together() -> None:
    tools = (Tool("one", "", {"properties": {"a": PROPERTIES["city"]}}), Tool("two", "", {}))
    grammar = call_grammar(family("Qwen3.5-4B"), tools, ToolChoice("required"))
    assert grammar is not None
    check(grammar)
    assert grammar.startswith('root ::= "one>\\n" t0-root | "two>\\n" t1-root')
    assert '"New York"' in grammar
