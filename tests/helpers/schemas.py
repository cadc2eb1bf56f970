"""JSON schemas for tests: small random ones, texts of their grammars, and a validator written by hand."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from model_manager.engine.gbnf import Alt, Chars, Expr, Ref, Repeat, Seq, Text, productive

Schema = dict[str, Any]
SHORTEST_DEPTH = 12


def is_valid(schema: Any, value: Any, root: Any = None) -> bool:
    """Whether `value` meets `schema`, for the words that the engine enforces."""
    root = schema if root is None else root
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema and not is_valid(_found(schema["$ref"], root), value, root):
        return False
    if any(not is_valid(part, value, root) for part in schema.get("allOf", [])):
        return False
    if "anyOf" in schema and not any(is_valid(part, value, root) for part in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(is_valid(part, value, root) for part in schema["oneOf"]) != 1:
        return False
    if "const" in schema and not _same(schema["const"], value):
        return False
    if "enum" in schema and not any(_same(one, value) for one in schema["enum"]):
        return False
    if "type" in schema:
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if not any(_is_of(value, kind) for kind in kinds):
            return False
    if isinstance(value, dict):
        return _object_is_valid(schema, value, root)
    if isinstance(value, list):
        return _array_is_valid(schema, value, root)
    if isinstance(value, str):
        return (
            schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
            and re.search(schema.get("pattern", ""), value, re.ASCII) is not None
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (
            schema.get("minimum", value) <= value <= schema.get("maximum", value)
            and ("exclusiveMinimum" not in schema or schema["exclusiveMinimum"] < value)
            and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        )
    return True


def _object_is_valid(schema: Schema, value: dict[str, Any], root: Any) -> bool:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    return (
        all(name in value for name in schema.get("required", []))
        and all(is_valid(properties.get(name, others), one, root) for name, one in value.items())
        and schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
    )


def _array_is_valid(schema: Schema, value: list[Any], root: Any) -> bool:
    prefix = schema.get("prefixItems", [])
    return (
        schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        and all(is_valid(part, one, root) for part, one in zip(prefix, value, strict=False))
        and all(is_valid(schema.get("items", True), one, root) for one in value[len(prefix) :])
    )


def _is_of(value: Any, kind: str) -> bool:
    if kind == "integer":
        return not isinstance(value, bool) and isinstance(value, (int, float)) and value == int(value)
    if kind == "number":
        return not isinstance(value, bool) and isinstance(value, (int, float))
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, types[kind])


def _same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _found(ref: str, root: Any) -> Any:
    found = root
    for step in ref[2:].split("/") if ref != "#" else ():
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


# --- texts of a grammar ------------------------------------------------------------------------------------


def random_text(rules: Mapping[str, Expr], rng: random.Random) -> str:
    """Any text that obeys the grammar, most of them short."""
    heights = _heights(rules)
    assert set(heights) == productive(rules)

    def height(expr: Expr) -> float:
        return _height(expr, heights)

    def write(expr: Expr, depth: int) -> str:
        match expr:
            case Text(text):
                return text
            case Chars(ranges):
                first, last = rng.choice(ranges)
                near = rng.random() < 0.9
                return chr(rng.randint(first, min(last, first + 200 if near else last)))
            case Ref(name):
                return write(rules[name], depth + 1)
            case Seq(items):
                return "".join(write(item, depth) for item in items)
            case Alt(options):
                possible = [option for option in options if height(option) < float("inf")]
                if depth > SHORTEST_DEPTH:
                    return write(min(possible, key=height), depth)
                return write(rng.choice(possible), depth)
            case Repeat(item, n_min, n_max):
                if height(item) == float("inf") or depth > SHORTEST_DEPTH:
                    n_max = n_min
                most = n_min + 3 if n_max is None else min(n_max, n_min + 3)
                return "".join(write(item, depth) for _ in range(rng.randint(n_min, most)))
        raise AssertionError(expr)

    return write(rules["root"], 0)


def _height(expr: Expr, heights: Mapping[str, float]) -> float:
    """Rules within rules of the shortest text."""
    match expr:
        case Ref(name):
            return 1 + heights.get(name, float("inf"))
        case Seq(items):
            return max((_height(item, heights) for item in items), default=0)
        case Alt(options):
            return min((_height(option, heights) for option in options), default=float("inf"))
        case Repeat(item, n_min, _):
            return 0 if n_min == 0 else _height(item, heights)
        case _:
            return 0


def _heights(rules: Mapping[str, Expr]) -> dict[str, float]:
    heights: dict[str, float] = {}
    while True:
        found = {name: _height(rule, heights) for name, rule in rules.items()}
        now = {name: height for name, height in found.items() if height < float("inf")}
        if now == heights:
            return heights
        heights = now


# --- random schemas ----------------------------------------------------------------------------------------

# The starter's vocabulary lacks some bytes, by which rarer characters would be spelled.
_characters = st.characters(max_codepoint=0x24F, codec="utf-8") | st.sampled_from("\u4e2d\u6587\U0001f600")
_names = st.text(_characters, min_size=1, max_size=4)
_values = st.none() | st.booleans() | st.integers(-99, 99) | st.text(_characters, max_size=5)


@st.composite
def _numbers(draw: st.DrawFn) -> Schema:
    low = draw(st.none() | st.integers(-1500, 1500))
    high = draw(st.none() | st.integers(1 + (low or 0), 5000 + (low or 0)))
    words: Schema = {"type": draw(st.sampled_from(["integer", "number"]))}
    if low is not None:
        words[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
    if high is not None:
        words[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = high + 1
    return words


@st.composite
def _strings(draw: st.DrawFn) -> Schema:
    low = draw(st.integers(0, 4))
    return draw(
        st.sampled_from(
            [
                {"type": "string"},
                {"type": "string", "minLength": low},
                {"type": "string", "minLength": low, "maxLength": low + 3},
                {"type": "string", "pattern": r'^(a|"b\\)+[^\w"]?x{2,3}$'},
                {"type": "string", "pattern": r"[0-9]{3}-[A-F]"},
            ]
        )
    )


@st.composite
def _objects(draw: st.DrawFn, children: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(_names, children, max_size=4))
    required = [name for name in properties if draw(st.booleans())]
    schema: Schema = {"type": "object", "properties": properties, "required": required}
    if draw(st.booleans()):
        schema["additionalProperties"] = draw(st.booleans() | children)
    if draw(st.booleans()):
        schema["maxProperties"] = draw(st.integers(len(required), len(required) + 2))
    return schema


@st.composite
def _arrays(draw: st.DrawFn, children: st.SearchStrategy[Schema]) -> Schema:
    schema: Schema = {"type": "array", "minItems": draw(st.integers(0, 3))}
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(children, min_size=1, max_size=3))
    if draw(st.booleans()):
        schema["items"] = draw(children)
    if draw(st.booleans()):
        schema["maxItems"] = schema["minItems"] + draw(st.integers(0, 2))
    return schema


schemas = st.recursive(
    st.just({})
    | _numbers()
    | _strings()
    | st.builds(lambda values: {"enum": values}, st.lists(_values, min_size=1, max_size=3))
    | st.builds(lambda value: {"const": value}, _values)
    | st.builds(
        lambda kinds: {"type": kinds}, st.lists(st.sampled_from(["null", "boolean", "string"]), min_size=1)
    ),
    lambda children: (
        _objects(children)
        | _arrays(children)
        | st.builds(lambda parts: {"anyOf": parts}, st.lists(children, min_size=1, max_size=3))
    ),
    max_leaves=8,
)
"""Small schemas of all kinds that can be met."""
