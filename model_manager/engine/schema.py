r"""JSON schemas as grammars: every text that obeys the grammar is JSON that meets the schema.

The converse does not hold, on purpose: properties come in the order in which the schema names them, and where
it allows others beside those it names, none are written. What can be neither met nor enforced is refused,
with the place in the schema; nothing is silently left out. llama-cpp-python has a converter of its own, which
leaves out what it does not know (`minimum`, say) and takes two definitions with the same last name for one.

    {"type": "object", "properties": {"n": {"type": "boolean"}}, "required": ["n"]}
    root ::= "{" ws part-6 ws "}"
    part-6 ::= "\x22n\x22" ":" ws ("true" | "false")

Source: JSON Schema 2020-12, and the lists of `items` of the drafts before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from model_manager.engine import schema_merging as merging
from model_manager.engine.gbnf import (
    EMPTY,
    MAX_BYTES,
    MAX_REPEATS,
    NOTHING,
    Expr,
    Ref,
    Repeat,
    alt,
    chars,
    maybe,
    seq,
    written,
)
from model_manager.engine.schema_merging import Schema
from model_manager.engine.schema_numbers import bounded, numbers
from model_manager.engine.schema_patterns import PatternError
from model_manager.engine.schema_strings import FORMATS, Writing
from model_manager.errors import SchemaUnsupported

MAX_PARTS: Final = 5_000
"""Schemas within a schema; one that is used in several places counts for each where it was merged."""

MAX_OPTIONS: Final = 100
"""Parts of one anyOf or oneOf: each pair of the latter is compared."""

MAX_DEPTH: Final = 64

_WORDS_OF: Final[Mapping[str, frozenset[str]]] = {
    "object": frozenset(
        ("properties", "required", "additionalProperties", "minProperties", "maxProperties", "propertyNames")
    ),
    "array": frozenset(("items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems")),
    "string": frozenset(("minLength", "maxLength", "pattern", "format")),
    "number": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
}
_REFUSED: Final = frozenset(
    (
        *("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "contains"),
        *("minContains", "maxContains", "patternProperties", "unevaluatedProperties", "unevaluatedItems"),
        *("$dynamicRef", "$recursiveRef"),
    )
)
_TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")


def schema_grammar(schema: object) -> str:
    """The grammar, in GBNF, of the JSON texts that meet `schema`.

    Raises:
        SchemaUnsupported: It cannot be met, or not be enforced.
    """
    text = written(schema_rules(schema))
    if text is None:
        raise SchemaUnsupported("", "nothing can meet it")
    if len(text.encode()) > MAX_BYTES:
        raise SchemaUnsupported("", "it is too large")
    return text


def schema_rules(
    schema: object, root: Callable[[Converter], Expr] | None = None, quote: str = '"'
) -> dict[str, Expr]:
    """The same as expressions, the first of which is "root"; those that cannot end included.

    Args:
        schema: What is to be met.
        root: Makes the first of them; None is the JSON texts themselves.
        quote: What stands around strings, see `Writing`.
    """
    converter = Converter(schema, Writing(quote))
    try:
        if len(json.dumps(schema)) > MAX_BYTES:
            raise SchemaUnsupported("", "it is too large")
        made = converter.visit(schema, "", 0) if root is None else root(converter)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        # Words may have values of any form at all; those that matter often are looked at one by one.
        raise SchemaUnsupported("", f"it is no JSON schema ({type(error).__name__}: {error})"[:200]) from None
    return {"root": made, **converter.rules}


class Converter:
    """Makes expressions of the parts of one schema.

    Attributes:
        rules: What the expressions refer to.
    """

    def __init__(self, root: object, writing: Writing) -> None:
        self._writing = writing
        self.document = merging.Document(root)
        self._n_parts = 0
        self._names: dict[str, str] = {}
        space = alt(EMPTY, " ", seq("\n", Repeat(chars(" \t"), 0, 20)))
        key_value = seq(self._writing.any_name, ":", Ref("ws"), Ref("value"))
        self.rules: dict[str, Expr] = {
            "ws": space,
            "char": self._writing.character,
            "string": self._writing.strings(),
            "object": _enclosed("{", _listed(key_value), "}"),
            "array": _enclosed("[", _listed(Ref("value")), "]"),
            "value": alt(Ref("object"), Ref("array"), Ref("string"), numbers(), "true", "false", "null"),
        }

    def visit(self, schema: object, path: str, depth: int) -> Expr:
        """What meets a part of the schema."""
        self._n_parts += 1
        if self._n_parts > MAX_PARTS or depth > MAX_DEPTH:
            raise SchemaUnsupported(path, "it is too large or nested too deep")
        if schema is True:
            return Ref("value")
        if schema is False:
            return NOTHING
        if not isinstance(schema, dict):
            raise SchemaUnsupported(path, "a schema is an object")
        for word in _REFUSED & schema.keys():
            raise SchemaUnsupported(path, f"{word} cannot be enforced")
        ref = schema.get("$ref")
        if ref is not None and not merging.constraints(schema) - {"$ref"}:
            return self._referred(ref, path, depth)
        if ref is not None or "allOf" in schema:
            return self.visit(self.document.flattened(schema, path), path, depth + 1)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return self._union(schema, word, path, depth)
        if "const" in schema or "enum" in schema:
            return self._values(schema, path)
        return alt(*(self._typed(kind, schema, path, depth) for kind in _types(schema, path)))

    def _referred(self, ref: object, path: str, depth: int) -> Expr:
        if not isinstance(ref, str):
            raise SchemaUnsupported(path, "$ref is a text")
        if ref not in self._names:
            target = self.document.resolved(ref, path)
            name = self._names[ref] = f"ref-{len(self._names)}"
            self.rules[name] = NOTHING  # until it is known, which no one asks before
            self.rules[name] = self.visit(target, ref.lstrip("#"), depth + 1)
        return Ref(self._names[ref])

    def _union(self, schema: Schema, word: str, path: str, depth: int) -> Expr:
        options = schema[word]
        if not isinstance(options, list) or not options:
            raise SchemaUnsupported(path, f"{word} is a list of schemas")
        if len(options) > MAX_OPTIONS:
            raise SchemaUnsupported(path, f"{word} has more than {MAX_OPTIONS} parts")
        base = {name: value for name, value in schema.items() if name != word}
        if merging.constraints(base):
            options = [self.document.merged(base, option, path) for option in options]
        if word == "oneOf" and not self.document.are_disjoint(options, path):
            raise SchemaUnsupported(path, "more than one part of oneOf could be met at once; use anyOf")
        return alt(*(self.visit(one, f"{path}/{word}/{i}", depth + 1) for i, one in enumerate(options)))

    def _values(self, schema: Schema, path: str) -> Expr:
        rest = merging.constraints(schema) - {"type", "const", "enum"}
        if rest:
            raise SchemaUnsupported(path, f"{min(rest)} beside a list of values cannot be enforced")
        values = [schema["const"]] if "const" in schema else schema["enum"]
        if not isinstance(values, list):
            raise SchemaUnsupported(path, "enum is a list")
        if "const" in schema and "enum" in schema:
            values = [value for value in values if value in schema["enum"]]
        kinds = _types(schema, path) if "type" in schema else _TYPES
        allowed = [value for value in values if any(merging.is_of(value, kind) for kind in kinds)]
        return alt(*map(self._writing.literal, allowed))

    def _typed(self, kind: str, schema: Schema, path: str, depth: int) -> Expr:
        match kind:
            case "object":
                return self._object(schema, path, depth)
            case "array":
                return self._array(schema, path, depth)
            case "string":
                return self._string(schema, path)
            case "integer" | "number":
                return bounded(kind, schema, path)
            case "boolean":
                return alt("true", "false")
            case "null":
                return seq("null")
            case _:
                return Ref("value")

    # --- objects -----------------------------------------------------------------------------------------

    def _object(self, schema: Schema, path: str, depth: int) -> Expr:
        if not schema.get("properties") and not schema.get("required"):
            return self._map(schema, path, depth)
        members = [
            (self._member(name, value, f"{path}/properties/{_escaped(name)}", depth), is_needed)
            for name, value, is_needed in self.written(schema, path)
        ]
        return _enclosed("{", self.members(members, seq(",", Ref("ws"))), "}")

    def written(self, schema: Schema, path: str) -> list[tuple[str, object, bool]]:
        """The properties that are written of an object, in their order, with their schemas.

        The third is whether it is always there.

        Raises:
            SchemaUnsupported: What is said of them cannot be enforced.
        """
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        others = schema.get("additionalProperties", True)
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise SchemaUnsupported(path, "properties is an object and required is a list")
        n_min, n_max = bounds(schema, "minProperties", "maxProperties", path)
        if "propertyNames" in schema:
            raise SchemaUnsupported(path, "propertyNames beside properties cannot be enforced")
        properties = dict(properties) | {name: others for name in required if name not in properties}
        demanded = frozenset(required)
        needed = [name for name in properties if name in demanded]
        optional = [name for name in properties if name not in demanded]
        # More or fewer than the required ones: the first of the others are taken, or the last ones left out.
        n_more = max(0, n_min - len(needed))
        if n_more > len(optional) or (n_max is not None and len(needed) + n_more > n_max):
            raise SchemaUnsupported(path, "so many properties cannot be written")
        needed += optional[:n_more]
        is_needed = frozenset(needed)
        kept = set(
            needed + optional[: len(optional) if n_max is None else max(0, n_max - len(needed) + n_more)]
        )
        return [(name, value, name in is_needed) for name, value in properties.items() if name in kept]

    def _member(self, name: str, value: object, path: str, depth: int) -> Expr:
        return self.named(seq(self._writing.name(name), ":", Ref("ws"), self.visit(value, path, depth + 1)))

    def members(self, members: Sequence[tuple[Expr, bool]], comma: Expr) -> Expr:
        """Those that are needed and perhaps the others, in order, with commas between them."""
        first_needed = next((i for i, (_, is_needed) in enumerate(members) if is_needed), None)
        if first_needed is None:
            # Each may be the first; what follows is written once, as a rule.
            options: list[Expr] = [EMPTY]
            rest: Expr = EMPTY
            for member, _ in reversed(members):
                options.append(seq(member, rest))
                rest = self.named(seq(maybe(comma, member), rest))
            return alt(*options)
        before = [maybe(member, comma) for member, _ in members[:first_needed]]
        after = [
            seq(comma, member) if is_needed else maybe(comma, member)
            for member, is_needed in members[first_needed + 1 :]
        ]
        return seq(*before, members[first_needed][0], *after)

    def _map(self, schema: Schema, path: str, depth: int) -> Expr:
        others = schema.get("additionalProperties", True)
        n_min, n_max = bounds(schema, "minProperties", "maxProperties", path)
        if n_min > 1:
            raise SchemaUnsupported(path, "minProperties above 1 without properties cannot be enforced")
        if others is False:
            return seq("{", Ref("ws"), "}") if n_min == 0 else NOTHING
        names = self._writing.any_name
        if "propertyNames" in schema:
            wanted = self.document.merged({"type": "string"}, schema["propertyNames"], path)
            names = self.visit(wanted, f"{path}/propertyNames", depth + 1)
        value = self.visit(others, f"{path}/additionalProperties", depth + 1)
        member = self.named(seq(names, ":", Ref("ws"), value))
        return _enclosed("{", _listed(member, n_min, n_max), "}")

    # --- arrays, strings, numbers ------------------------------------------------------------------------

    def _array(self, schema: Schema, path: str, depth: int) -> Expr:
        if schema.get("uniqueItems") is True:
            raise SchemaUnsupported(path, "uniqueItems cannot be enforced")
        items, prefix = schema.get("items", True), schema.get("prefixItems", [])
        if isinstance(items, list):
            items, prefix = schema.get("additionalItems", True), items
        if not isinstance(prefix, list):
            raise SchemaUnsupported(path, "prefixItems is a list")
        n_min, n_max = bounds(schema, "minItems", "maxItems", path)
        first = [
            self.visit(one, f"{path}/prefixItems/{i}", depth + 1)
            for i, one in enumerate(prefix if n_max is None else prefix[:n_max])
        ]
        if first and len(first) >= n_min and ("items" not in schema or items is True):
            return _enclosed("[", _joined(first), "]")  # more would be allowed, none is asked for
        if items is False:
            return _enclosed("[", _joined(first), "]") if len(first) >= n_min else NOTHING
        item = self.named(self.visit(items, f"{path}/items", depth + 1))
        n_more = (max(0, n_min - len(first)), None if n_max is None else n_max - len(first))
        if not first:
            return _enclosed("[", _listed(item, *n_more), "]")
        return _enclosed("[", seq(_joined(first), Repeat(seq(",", Ref("ws"), item), *n_more)), "]")

    def _string(self, schema: Schema, path: str) -> Expr:
        n_min, n_max = bounds(schema, "minLength", "maxLength", path)
        shape = schema.get("format")
        is_measured = n_min > 0 or n_max is not None
        if "pattern" in schema:
            if is_measured or shape in FORMATS:
                raise SchemaUnsupported(path, "pattern beside a length or format cannot be enforced")
            try:
                return self.named(self._writing.matching(str(schema["pattern"])))
            except PatternError as error:
                raise SchemaUnsupported(path, f"pattern: {error}") from None
        if shape in FORMATS:
            if is_measured:
                raise SchemaUnsupported(path, f"a length beside the format {shape} cannot be enforced")
            name = f"format-{shape}"
            self.rules.setdefault(name, self._writing.formatted(shape))
            return Ref(name)
        if not is_measured:
            return Ref("string")
        name = f"string-{n_min}-{'' if n_max is None else n_max}"
        self.rules.setdefault(name, self._writing.strings(n_min, n_max))
        return Ref(name)

    def named(self, rule: Expr) -> Expr:
        """A rule of its own, so that a text that is used twice, or repeated, stands there once."""
        if isinstance(rule, Ref):
            return rule
        name = f"part-{len(self.rules)}"
        self.rules[name] = rule
        return Ref(name)


def bounds(schema: Schema, least: str, most: str, path: str) -> tuple[int, int | None]:
    """Two words of a schema that count something; the second is None where there is no most.

    Raises:
        SchemaUnsupported: They are no such numbers, or too large.
    """
    n_min, n_max = schema.get(least, 0), schema.get(most)
    for word, value in ((least, n_min), (most, n_max)):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and (not is_number or value != int(value) or value < 0):
            raise SchemaUnsupported(path, f"{word} is a whole number")
    if n_min > MAX_REPEATS:
        raise SchemaUnsupported(path, f"{least} above {MAX_REPEATS} cannot be enforced")
    if n_max is not None and n_max < n_min:
        raise SchemaUnsupported(path, f"{least} is above {most}")
    return int(n_min), None if n_max is None else min(int(n_max), MAX_REPEATS)


def _types(schema: Schema, path: str) -> tuple[str, ...]:
    """The types that a part allows; "any" where it says nothing of its type."""
    told = schema.get("type")
    if told is not None:
        kinds = tuple(told) if isinstance(told, list) else (told,)
        if any(kind not in _TYPES for kind in kinds):
            raise SchemaUnsupported(path, f"there is no type {told!r}")
        return kinds
    meant = tuple(kind for kind, words in _WORDS_OF.items() if words & schema.keys())
    return meant or ("any",)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _enclosed(left: str, inside: Expr, right: str) -> Expr:
    return seq(left, Ref("ws"), inside, Ref("ws"), right) if inside != EMPTY else seq(left, Ref("ws"), right)


def _joined(items: Sequence[Expr]) -> Expr:
    if not items:
        return EMPTY
    return seq(items[0], *(seq(",", Ref("ws"), item) for item in items[1:]))


def _listed(item: Expr, n_min: int = 0, n_max: int | None = None) -> Expr:
    """So many of one kind, with commas between them."""
    if n_max == 0:
        return EMPTY
    more = seq(
        item, Repeat(seq(",", Ref("ws"), item), max(0, n_min - 1), None if n_max is None else n_max - 1)
    )
    return more if n_min > 0 else maybe(more)
