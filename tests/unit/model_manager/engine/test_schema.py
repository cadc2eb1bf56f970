from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from model_manager.engine.gbnf import check, written
from model_manager.engine.schema import schema_grammar, schema_rules
from model_manager.errors import SchemaUnsupported
from tests.helpers.schemas import is_valid, random_text, schemas


def texts(schema: Any, n: int = 60) -> list[str]:
    rules = schema_rules(schema)
    return [random_text(rules, random.Random(seed)) for seed in range(n)]


def values(schema: Any, n: int = 60) -> list[Any]:
    found = [json.loads(text) for text in texts(schema, n)]
    assert all(is_valid(schema, value) for value in found), (schema, found)
    return found


@settings(deadline=None, max_examples=60)
@given(schemas, st.integers(0, 2**32))
def test_every_text_of_the_grammar_meets_the_schema(schema: dict[str, Any], seed: int) -> None:
    rules = schema_rules(schema)
    text = written(rules)
    assert text is not None
    check(text)
    for n in range(5):
        value = json.loads(random_text(rules, random.Random(seed + n)))
        assert is_valid(schema, value)
        json.dumps(value, ensure_ascii=False).encode()


@settings(deadline=None, max_examples=60)
@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6), st.booleans(), st.booleans(), st.booleans())
def test_bounds_of_numbers_are_exact(low: int, width: int, above: bool, below: bool, whole: bool) -> None:
    high = low + width + 2
    schema = {
        "type": "integer" if whole else "number",
        "exclusiveMinimum" if above else "minimum": low,
        "exclusiveMaximum" if below else "maximum": high,
    }
    values(schema, 10)


@pytest.mark.parametrize(("low", "high"), [(0, 9), (3, 17), (-12, 4), (-205, -98), (99, 1001), (7, 7)])
def test_every_whole_number_within_bounds_can_be_written(low: int, high: int) -> None:
    grammar = schema_grammar({"type": "integer", "minimum": low, "maximum": high})
    expression = re.compile(grammar.partition("::= ")[2].replace('"', "").replace(" ", "").strip())
    assert [n for n in range(-2000, 2000) if expression.fullmatch(str(n))] == list(range(low, high + 1))


def test_properties_come_in_order_and_optional_ones_may_lack() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "null"}},
        "required": ["b"],
    }
    assert {tuple(value) for value in values(schema)} == {("b",), ("a", "b"), ("b", "c"), ("a", "b", "c")}
    schema["required"] = []
    assert len({tuple(value) for value in values(schema, 200)}) == 8


def test_references_meet_their_own_definitions() -> None:
    """Two with the same last name, and one inside itself."""
    schema = {
        "$defs": {
            "a": {"$defs": {"x": {"const": 1}}},
            "b": {"$defs": {"x": {"const": 2}}},
            "tree/~": {
                "type": "object",
                "properties": {"left": {"anyOf": [{"$ref": "#/$defs/tree~1~0"}, {"type": "null"}]}},
                "required": ["left"],
                "additionalProperties": False,
            },
        },
        "type": "array",
        "prefixItems": [
            {"$ref": "#/$defs/a/$defs/x"},
            {"$ref": "#/$defs/b/$defs/x", "description": "the other"},
            {"$ref": "#/$defs/tree~1~0"},
        ],
        "minItems": 3,
        "items": False,
    }
    assert all(value[:2] == [1, 2] for value in values(schema))


def test_branches_without_an_end_are_left_out() -> None:
    endless = {"$ref": "#/$defs/endless"}
    schema = {
        "$defs": {"endless": {"type": "object", "properties": {"more": endless}, "required": ["more"]}},
        "type": "object",
        "properties": {
            "a": {"anyOf": [endless, {"type": "null"}]},
            "b": endless,
            "c": {"type": "array", "items": endless},
        },
        "required": ["a", "c"],
    }
    assert {json.dumps(value) for value in values(schema)} == {'{"a": null, "c": []}'}
    with pytest.raises(SchemaUnsupported, match="nothing can meet it"):
        schema_grammar(schema | {"required": ["b"]})


def test_all_of_is_joined() -> None:
    base = {"type": "object", "properties": {"a": {"type": "number", "minimum": 3}}, "required": ["a"]}
    schema = {
        "$defs": {"base": base},
        "allOf": [
            {"$ref": "#/$defs/base"},
            {
                "properties": {"a": {"type": "integer", "maximum": 4}, "b": {"type": "null"}},
                "required": ["b"],
            },
        ],
    }
    assert {value["a"] for value in values(schema)} == {3, 4}


def test_tagged_unions_are_one_of() -> None:
    def tagged(tag: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"t": {"const": tag}, tag: {"type": "integer"}},
            "required": ["t"],
        }

    schema = {"oneOf": [tagged("x"), tagged("y")], "discriminator": {"propertyName": "t"}}
    assert {value["t"] for value in values(schema)} == {"x", "y"}


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("date", r"\d{4}-\d\d-\d\d"),
        ("time", r"\d\d:\d\d:\d\d.*"),
        ("date-time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*"),
        ("uuid", r"[0-9a-f-]{36}"),
        ("ipv4", r"\d+\.\d+\.\d+\.\d+"),
        ("email", r".+@.+\..+"),
    ],
)
def test_formats(name: str, example: str) -> None:
    assert all(re.fullmatch(example, value) for value in values({"type": "string", "format": name}))


@pytest.mark.parametrize(
    "pattern",
    [
        "a", "^a", "a$", "^a|b$", "^$", "", r"^[\w.]+@[a-z]+\.com$", r"^\d{3,5}(?:-\d+)?$",
        r"^(?<n>x|yy)*?z$", r"^[^a-z\s]{2}$", r"^\u4e2d[\u4e00-\u9fff]+$", r"^[\"\\\]-]+$", r"^.{3}$",
        "^\U0001f99c?$", r"^\.\/\-$", r"^[\d-]+$", r"^\S\D\W$", r"^[\b\n]$",
    ],
)  # fmt: skip
def test_patterns(pattern: str) -> None:
    found = [json.loads(text) for text in texts({"type": "string", "pattern": pattern})]
    python = pattern.replace("(?<n>", "(?P<n>")
    assert all(re.search(python, value, re.ASCII) for value in found), found


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (3, "a schema is an object"),
        ({"type": "strng"}, "there is no type 'strng'"),
        ({"not": {}}, "not cannot be enforced"),
        ({"type": "object", "properties": {"a": {"if": {}}}}, "/properties/a: if cannot be enforced"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems cannot be enforced"),
        ({"type": "number", "multipleOf": 0.1}, "multipleOf cannot be enforced"),
        ({"type": "number", "minimum": 0.5}, "minimum: only whole numbers"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "nothing can meet it"),
        ({"type": "integer", "minimum": "3"}, "minimum is a number"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "minItems is above maxItems"),
        ({"type": "array", "minItems": 10**9}, "minItems above 2000"),
        ({"type": "array", "minItems": "x"}, "minItems is a whole number"),
        ({"type": "array", "items": [1]}, "a schema is an object"),
        ({"enum": []}, "nothing can meet it"),
        ({"enum": 3}, "enum is a list"),
        ({"enum": ["a"], "type": "integer"}, "nothing can meet it"),
        ({"enum": ["a"], "minLength": 3}, "minLength beside a list of values"),
        ({"const": float("nan")}, "it is no JSON schema"),
        ({"anyOf": []}, "anyOf is a list of schemas"),
        ({"anyOf": [{"const": n} for n in range(101)]}, "anyOf has more than 100 parts"),
        ({"anyOf": [False, {"enum": []}]}, "nothing can meet it"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "could be met at once"),
        ({"$ref": "https://example.com/a.json"}, "only parts of this schema"),
        ({"$ref": "#/$defs/none"}, "there is no such part"),
        ({"$ref": "#"}, "nothing can meet it"),
        ({"$ref": 3}, "$ref is a text"),
        ({"allOf": [{"$ref": "#"}]}, "refers to itself without end"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "nothing can meet it"),
        ({"allOf": [{"pattern": "a"}, {"pattern": "b"}]}, "pattern stands twice"),
        (
            {"allOf": [{"properties": {"a": {}}, "additionalProperties": False}, {"properties": {"b": {}}}]},
            "additionalProperties beside parts",
        ),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, "nothing can meet it"),
        ({"type": "object", "required": [{}]}, "it is no JSON schema"),
        ({"type": "object", "minProperties": 4, "properties": {"a": {}}}, "so many properties"),
        ({"type": "string", "pattern": "(?=a)"}, "looking ahead"),
        ({"type": "string", "pattern": r"(a)\1"}, r"\1 cannot be enforced"),
        ({"type": "string", "pattern": "["}, "ends too early"),
        ({"type": "string", "pattern": "a{3,2}"}, "out of range"),
        ({"type": "string", "pattern": "(" * 200 + ")" * 200}, "too deep"),
        ({"type": "string", "pattern": "a" * 2000}, "longer than"),
        ({"type": "string", "pattern": "a", "maxLength": 3}, "pattern beside a length"),
    ],
)
def test_what_cannot_be_met_or_enforced_is_refused(schema: Any, reason: str) -> None:
    with pytest.raises(SchemaUnsupported) as caught:
        schema_grammar(schema)
    assert reason in str(caught.value)


def test_schemas_that_would_explode_are_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"type": "array", "items": deep}
    doubling = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(25)}
    joined = {"allOf": [{"properties": {f"p{i}": {"type": "null"}}} for i in range(2000)]}
    twice = {"$defs": {**doubling, "a25": {"type": "null"}}, "$ref": "#/$defs/a0"}
    for schema in (deep, twice, joined, {"enum": [str(n) for n in range(100_000)]}):
        with pytest.raises(SchemaUnsupported, match="too large"):
            schema_grammar(schema)


def test_words_nobody_knows_are_passed_over() -> None:
    assert values({"type": "null", "x-order": 3, "title": "a", "colour": "red"}, 1) == [None]
