r"""Grammars of the arguments of calls in notations that write them one by one.

    <parameter=city>            root ::= gap part-7 gap "</function>"
    Paris                       part-7 ::= "<parameter=" "city" ">" "\n"? ("Paris" | "Oslo") ...
    </parameter>
    </function>

A string stands there as it is, so what ends it cannot be in it; every other value is JSON. What the parsers
of `tool_tags` and its like make of a text that obeys is what the schema says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from model_manager.engine import schema_merging as merging
from model_manager.engine.gbnf import EMPTY, NOTHING, Expr, Ref, Repeat, Text, alt, chars, maybe, seq
from model_manager.engine.schema import Converter, bounds, schema_rules
from model_manager.engine.schema_patterns import ANY, PatternError, bare, pattern
from model_manager.engine.schema_strings import BARE_NAME, FORMATS
from model_manager.engine.tool_calls import is_text_only, json_types
from model_manager.engine.tool_formats import ArgumentForm
from model_manager.errors import SchemaUnsupported

_WORDS: Final = frozenset(
    ("type", "properties", "required", "additionalProperties", "minProperties", "maxProperties")
)


def argument_rules(form: ArgumentForm, schema: dict[str, Any]) -> dict[str, Expr]:
    """What follows the head of a call, up to its end; the first rule is "root".

    Raises:
        SchemaUnsupported: The schema cannot be enforced in this notation.
    """
    return schema_rules(schema, lambda converter: _Arguments(form, converter).all_of(schema), form.quote)


def any_arguments(form: ArgumentForm) -> dict[str, Expr]:
    """Whatever a model writes up to the end of a call."""
    return {"root": seq(Ref("text-0"), form.call_end), **_texts(form.call_end, "text-")}


class _Arguments:
    def __init__(self, form: ArgumentForm, converter: Converter) -> None:
        self._form = form
        self._converter = converter
        self._ends: dict[str, str] = {}
        converter.rules["gap"] = Repeat(chars("\n "), 0, 2)
        if form.quote != '"':
            converter.rules["string"] = seq(form.quote, self._any_text(form.quote), form.quote)

    def all_of(self, schema: dict[str, Any]) -> Expr:
        schema = self._converter.document.flattened(schema, "")
        for word in sorted(merging.constraints(schema) - _WORDS):
            raise SchemaUnsupported("", f"{word} cannot be enforced in this notation")
        members = [
            (self._converter.named(self._argument(name, value)), is_needed)
            for name, value, is_needed in self._converter.written(schema, "")
        ]
        if self._form.between:
            written = self._converter.members(members, Text(self._form.between))
        else:
            each = (seq(member, Ref("gap")) for member, _ in members)
            written = seq(
                *(one if need else maybe(one) for one, (_, need) in zip(each, members, strict=True))
            )
        return seq(Ref("gap"), written, Text(self._form.call_end))

    def _argument(self, name: str, schema: object) -> Expr:
        path = f"/properties/{name}"
        if not BARE_NAME.fullmatch(name):
            raise SchemaUnsupported(path, "this name cannot be enforced in this notation")
        told = schema if isinstance(schema, Mapping) else {}
        end = self._form.value_end.format(name=name)
        text_lead, other_lead = (
            self._lead(name, after.replace("{type}", _kind_of(told))) for after in self._form.after
        )
        closing = _spaced(f"\n{end}" if self._form.is_framed else end)
        options: list[Expr] = []
        is_loose = schema is True or _is_loose(told)
        if self._form.has_bare_text and is_text_only(told):
            return seq(text_lead, self._text(dict(told), end, path), closing)
        if self._form.has_bare_text and is_loose:
            options.append(seq(text_lead, self._any_text(end), end))
        if not is_loose or text_lead != other_lead or not self._form.has_bare_text:
            value = self._converter.visit(schema, path, 1)
            options.append(seq(other_lead, value, closing))
        return alt(*options)

    def _lead(self, name: str, after: str) -> Expr:
        return seq(self._form.before, name, _spaced(after))

    def _text(self, schema: dict[str, Any], end: str, path: str) -> Expr:
        """A string as it is."""
        if "$ref" in schema or "allOf" in schema:
            schema = self._converter.document.flattened(schema, path)
        words = merging.constraints(schema) - {"type"}
        spell = bare(end[0])
        expression = schema.get("pattern")
        if words == {"format"}:
            shape = schema["format"]
            expression = f"^(?:{FORMATS[shape]})$" if shape in FORMATS else None
            words = {"pattern"} if expression else set()
        if not words:
            return self._any_text(end)
        if words <= {"const", "enum"}:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            texts = [value for value in values if isinstance(value, str) and end not in value]
            return alt(*texts) if texts else NOTHING
        if words == {"pattern"}:
            try:
                return self._converter.named(pattern(str(expression), spell))
            except PatternError as error:
                raise SchemaUnsupported(path, f"pattern: {error}") from None
        if words <= {"minLength", "maxLength"}:
            n_min, n_max = bounds(schema, "minLength", "maxLength", path)
            if n_max is None:
                return seq(Repeat(spell(ANY), n_min, n_min), self._any_text(end))
            return Repeat(spell(ANY), n_min, n_max)
        raise SchemaUnsupported(path, f"{min(words)} of a string cannot be enforced in this notation")

    def _any_text(self, end: str) -> Expr:
        if end not in self._ends:
            self._ends[end] = f"text-{len(self._ends)}-"
            self._converter.rules |= _texts(end, self._ends[end])
        return Ref(f"{self._ends[end]}0")


def _is_loose(schema: Mapping[str, Any]) -> bool:
    """Whether any text is a value, since a string of any kind is."""
    words = merging.constraints(dict(schema))
    if words == {"anyOf"}:
        options = schema["anyOf"]
        plain = [one for one in options if isinstance(one, dict) and not merging.constraints(one) - {"type"}]
        return len(plain) == len(options) and any(map(_is_loose, plain))
    return not words or (words == {"type"} and "string" in json_types(schema))


def _kind_of(schema: Mapping[str, Any]) -> str:
    """The type of what is no text, in the word for it."""
    kinds = sorted(json_types(schema) - {"string"})
    return "number" if kinds == ["integer"] else kinds[0] if len(kinds) == 1 else "object"


def _spaced(text: str) -> Expr:
    """A text whose line breaks may be left out."""
    first, *others = text.split("\n")
    return seq(first, *(part for other in others for part in (maybe("\n"), Text(other)))) if text else EMPTY


def _texts(end: str, prefix: str) -> dict[str, Expr]:
    """Rules of the texts that do not hold `end`: one for each number of its characters read last."""
    rules: dict[str, Expr] = {}
    for n_read in range(len(end)):
        options: list[Expr] = [EMPTY]
        for char in sorted(set(end)):
            n_next = _overlap(end[:n_read] + char, end)
            if n_next < len(end):
                options.append(seq(char, Ref(f"{prefix}{n_next}")))
        options.append(seq(bare(end)(ANY), Ref(f"{prefix}0")))
        rules[f"{prefix}{n_read}"] = alt(*options)
    return rules


def _overlap(read: str, end: str) -> int:
    """How many of the first characters of `end` are the last ones of `read`."""
    return next(n for n in range(len(read), -1, -1) if end.startswith(read[len(read) - n :]))
