"""Finding, joining and comparing parts of a JSON schema."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote

from model_manager.errors import SchemaUnsupported

Schema = dict[str, Any]

ANNOTATIONS: Final = frozenset(
    (
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "$vocabulary", "id"),
        *("title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly"),
        *("discriminator", "contentEncoding", "contentMediaType", "contentSchema", "nullable", "strict"),
    )
)
"""Words that say nothing about what is valid."""

MAX_COST: Final = 200_000
"""Words and names that joining may touch."""

_MAX_HOPS: Final = 64

_JOINS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "minimum": max,
    "exclusiveMinimum": max,
    "minLength": max,
    "minItems": max,
    "minProperties": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxLength": min,
    "maxItems": min,
    "maxProperties": min,
    "required": lambda a, b: list(dict.fromkeys([*a, *b])),
    "enum": lambda a, b: [value for value in a if value in b],
    "items": lambda a, b: {"allOf": [a, b]},
    "properties": lambda a, b: {
        name: {"allOf": [a[name], b[name]]} if name in a and name in b else {**a, **b}[name]
        for name in {**a, **b}
    },
}


def constraints(schema: Schema) -> set[str]:
    """The words of a part that say what is valid, or that nobody knows."""
    return {word for word in schema if word not in ANNOTATIONS and not word.startswith("x-")}


class Document:
    """A whole schema, parts of which are looked up, joined and compared.

    Joining can cost far more than the schema is long (parts that refer to each other double at each step), so
    what it costs is counted, and ends at a limit.
    """

    def __init__(self, root: object) -> None:
        self._root = root
        self._cost_left = MAX_COST

    def resolved(self, ref: str, path: str) -> object:
        """The part of the whole schema that a reference means.

        Raises:
            SchemaUnsupported: There is none, or it is in another document.
        """
        if not ref.startswith("#") or (ref != "#" and not ref.startswith("#/")):
            raise SchemaUnsupported(path, f"$ref {ref!r}: only parts of this schema are looked up")
        found: Any = self._root
        for step in unquote(ref[2:]).split("/") if ref != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise SchemaUnsupported(path, f"$ref {ref!r}: there is no such part")
        return found

    def flattened(self, schema: object, path: str, hops: int = 0) -> Schema:
        """A part with what its `$ref` and `allOf` say written into it.

        Raises:
            SchemaUnsupported: They cannot be joined, cost too much, or refer to each other without end.
        """
        if hops > _MAX_HOPS:
            raise SchemaUnsupported(path, "it refers to itself without end")
        if schema is True:
            return {}
        if schema is False:
            return {"enum": []}
        if not isinstance(schema, dict):
            raise SchemaUnsupported(path, "a schema is an object")
        joined: Schema = {word: value for word, value in schema.items() if word not in ("$ref", "allOf")}
        parts = schema.get("allOf", [])
        if not isinstance(parts, list):
            raise SchemaUnsupported(path, "allOf is a list of schemas")
        if "$ref" in schema:
            parts = [self.resolved(str(schema["$ref"]), path), *parts]
        for part in parts:
            joined = self._join(joined, self.flattened(part, path, hops + 1), path)
        return joined

    def merged(self, base: Schema, part: object, path: str) -> Schema:
        """What meets both; raises what `flattened` does."""
        return self._join(self.flattened(base, path), self.flattened(part, path), path)

    def are_disjoint(self, options: Sequence[object], path: str) -> bool:
        """Whether certainly no value meets two of `options`; raises what `flattened` does."""
        parts = [self.flattened(option, path) for option in options]
        return all(self._exclude(one, other, path) for one, other in itertools.combinations(parts, 2))

    def _spend(self, cost: int, path: str) -> None:
        self._cost_left -= cost
        if self._cost_left < 0:
            raise SchemaUnsupported(path, "it is too large or nested too deep")

    def _join(self, base: Schema, part: Schema, path: str) -> Schema:
        self._spend(_size(base) + _size(part), path)
        joined = dict(base)
        _check_closed(base, part, path)
        for word, value in part.items():
            if word in ANNOTATIONS or word not in joined or joined[word] == value:
                joined[word] = value
            elif word == "type":
                joined[word] = _types_of_both(joined[word], value)
            elif word == "const":
                joined |= {"enum": []}
            elif word in _JOINS:
                try:
                    joined[word] = _JOINS[word](joined[word], value)
                except (TypeError, KeyError):
                    raise SchemaUnsupported(path, f"{word} has a wrong form") from None
            else:
                raise SchemaUnsupported(path, f"{word} stands twice in parts that both hold")
        return joined

    def _exclude(self, one: Schema, other: Schema, path: str) -> bool:
        self._spend(1, path)
        values, others = _values(one), _values(other)
        if values is not None and others is not None:
            return not any(value in others for value in values)
        kinds, other_kinds = _kinds(one), _kinds(other)
        if kinds is not None and other_kinds is not None and not kinds & other_kinds:
            return True
        if kinds == other_kinds == {"object"}:
            return any(
                self._tells_apart(name, one, other, path)
                for name in {*one.get("required", ()), *other.get("required", ())}
            )
        return False

    def _tells_apart(self, name: str, one: Schema, other: Schema, path: str) -> bool:
        """Whether a required property shows which of two objects it is."""
        mine, theirs = (part.get("properties", {}).get(name) for part in (one, other))
        if mine is None or theirs is None:
            lacking = one if mine is None else other
            holding = other if mine is None else one
            return lacking.get("additionalProperties") is False and name in holding.get("required", ())
        if name not in one.get("required", ()) or name not in other.get("required", ()):
            return False
        values, others = (_values(self.flattened(part, path)) for part in (mine, theirs))
        return values is not None and others is not None and not any(value in others for value in values)


def _size(part: Schema) -> int:
    return 1 + len(part.get("properties", ())) + len(part.get("required", ())) + len(part.get("enum", ()))


def _check_closed(base: Schema, part: Schema, path: str) -> None:
    """What a part says of the properties or items that it does not name, it says of its neighbour's, too."""
    for one, other in ((base, part), (part, base)):
        if "items" in one and "prefixItems" in other and one.get("prefixItems") != other["prefixItems"]:
            raise SchemaUnsupported(path, "items beside a part with prefixItems")
        if one.get("additionalProperties", True) is True:
            continue
        if set(other.get("properties", {})) - set(one.get("properties", {})):
            raise SchemaUnsupported(path, "additionalProperties beside parts that name more properties")


def _types_of_both(one: Any, other: Any) -> list[str]:
    ones, others = ([kinds] if isinstance(kinds, str) else list(kinds) for kinds in (one, other))
    both = [kind for kind in ones if kind in others or (kind == "integer" and "number" in others)]
    return both + [kind for kind in others if kind == "integer" and "number" in ones and kind not in both]


# --- comparing -------------------------------------------------------------------------------------------


def is_of(value: object, kind: str) -> bool:
    """Whether a JSON value has a type of JSON Schema."""
    match kind:
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            )
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def _values(part: Schema) -> list[Any] | None:
    if "const" in part:
        return [part["const"]]
    values = part.get("enum")
    return values if isinstance(values, list) else None


def _kinds(part: Schema) -> set[str] | None:
    told = part.get("type")
    if told is None:
        return None
    kinds = {told} if isinstance(told, str) else set(told)
    return {"number" if kind == "integer" else kind for kind in kinds}
