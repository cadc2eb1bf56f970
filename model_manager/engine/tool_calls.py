"""Tool calls that come out of what a model writes, piece by piece.

The parsers of `tool_formats` and `tool_tags` read a model's own notation and say here what they found; what
comes out is OpenAI's: an index, an id, a name, and arguments as the text of one JSON object. A call is
announced as soon as its name is known, its arguments stream behind it.

A name that no tool of the request has is no call: the text stays text, and nothing is called that was not
offered.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from model_manager.engine.cursor import Broken, Cursor, Sink, Steps
from model_manager.types import Tool, ToolCallDelta

_SCALAR_END: Final = re.compile(r"[\s,}\]\)<]")
_STRUCTURE: Final = re.compile(r'["{}\[\]\ud800-\udbff]')
_IN_STRING: Final = re.compile(r'["\\\ud800-\udbff]')
_ID_CHARS: Final = string.ascii_letters + string.digits


class Calls:
    """The calls of one answer.

    Attributes:
        deltas: What is new since they were last taken.
        count: Calls that were begun.
        is_open: The last one has not ended.
    """

    def __init__(self, tools: Sequence[Tool], cursor: Cursor) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._cursor = cursor
        self._has_arguments = False
        self.deltas: list[ToolCallDelta] = []
        self.count = 0
        self.is_open = False

    def take(self) -> list[ToolCallDelta]:
        """What is new."""
        taken, self.deltas = self.deltas, []
        return taken

    def knows(self, name: str) -> bool:
        """Whether a tool of this name was offered."""
        return name in self._tools

    def properties(self, name: str) -> Mapping[str, Any]:
        """The schemas of a tool's parameters by their names."""
        found = self._tools[name].parameters.get("properties")
        return found if isinstance(found, Mapping) else {}

    def begin(self, name: str, call_id: str = "", *, read: str = "") -> None:
        """A call of `name` begins; what was read of it is no longer given back as text.

        Args:
            name: Of the tool.
            call_id: If the model gives one.
            read: What was consumed already of the arguments.

        Raises:
            Broken: No such tool was offered.
        """
        if name not in self._tools:
            raise Broken
        self._cursor.stop_record()
        self._cursor.mark(read)
        self.deltas.append(ToolCallDelta(self.count, call_id or new_call_id(), name, ""))
        self.count += 1
        self.is_open = True
        self._has_arguments = False

    def add(self, text: str) -> None:
        """More of the arguments."""
        if not text:
            return
        self._has_arguments = True
        if self.deltas and self.deltas[-1].index == self.count - 1:
            last = self.deltas[-1]
            self.deltas[-1] = replace(last, arguments=last.arguments + text)
        else:
            self.deltas.append(ToolCallDelta(self.count - 1, arguments=text))

    def end(self) -> None:
        """The arguments are complete."""
        if not self._has_arguments:
            self.add("{}")
        self.is_open = False
        self._cursor.take_marked()
        self._cursor.start_record()


def new_call_id() -> str:
    """A fresh id; nine letters and digits, as the templates of Mistral's models demand."""
    return "".join(secrets.choice(_ID_CHARS) for _ in range(9))


# --- JSON ------------------------------------------------------------------------------------------------


def json_value(cursor: Cursor, sink: Sink) -> Steps[None]:
    """Hand a JSON value on as it is written; only its extent is understood.

    Raises:
        Broken: It cannot begin so, or a marker stands in it.
        EndOfText: It is not complete; what there is was handed on.
    """
    first = yield from cursor.peek()
    if first == '"':
        yield from _json_string(cursor, sink)
    elif first in "{[":
        yield from _json_container(cursor, sink)
    else:
        yield from _json_scalar(cursor, sink)


def _json_string(cursor: Cursor, sink: Sink) -> Steps[None]:
    sink((yield from cursor.take()))
    while True:
        yield from cursor.peek()
        found = _IN_STRING.search(cursor.ready)
        if found is None:
            sink(cursor.take_span(len(cursor.ready)))
            continue
        sink(cursor.take_span(found.start()))
        if found[0] == '"':
            sink((yield from cursor.take()))
            return
        if found[0] != "\\":
            raise Broken
        while len(cursor.ready) < 2:
            yield from cursor.wait()
        sink(cursor.take_span(2))


def _json_container(cursor: Cursor, sink: Sink) -> Steps[None]:
    depth = 0
    while True:
        yield from cursor.peek()
        found = _STRUCTURE.search(cursor.ready)
        if found is None:
            sink(cursor.take_span(len(cursor.ready)))
            continue
        sink(cursor.take_span(found.start()))
        if found[0] == '"':
            yield from _json_string(cursor, sink)
            continue
        if found[0] not in "{[}]":
            raise Broken
        depth += 1 if found[0] in "{[" else -1
        sink((yield from cursor.take()))
        if depth == 0:
            return


def _json_scalar(cursor: Cursor, sink: Sink) -> Steps[None]:
    n_taken = 0
    while True:
        if not cursor.ready and cursor.is_over and n_taken:
            return
        yield from cursor.peek()
        found = _SCALAR_END.search(cursor.ready)
        length = found.start() if found else len(cursor.ready)
        n_taken += length
        sink(cursor.take_span(length))
        if found:
            if n_taken == 0:
                raise Broken
            return


def json_arguments(cursor: Cursor, calls: Calls, begin: Callable[[], None]) -> Steps[None]:
    """Read the arguments of a call, an object in JSON; `begin` announces it once they look like one.

    Raises:
        Broken: They do not, or a marker stands in them.
    """
    yield from cursor.skip_space()
    first = yield from cursor.peek()
    if first == '"':
        # Some write the object as a string that holds it.
        held: list[str] = []
        yield from _json_string(cursor, held.append)
        text = loads_or_broken("".join(held))
        if not isinstance(loads_or_broken(text), dict):
            raise Broken
        begin()
        calls.add(text)
    else:
        yield from _expect_object(cursor)
        begin()
        yield from json_value(cursor, calls.add)
    calls.end()


def _expect_object(cursor: Cursor) -> Steps[None]:
    """Wait until it is certain that an object begins here."""
    while not cursor.is_over:
        text = cursor.ready.lstrip("{ \t\r\n") if cursor.ready.startswith("{") else cursor.ready
        if text:
            break
        yield from cursor.wait()
    if not re.match(r'\{\s*(["}]|$)', cursor.ready):
        raise Broken


def loads_or_broken(text: str) -> Any:
    """A JSON value.

    Raises:
        Broken: It is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Broken from None


# --- arguments that come one by one ----------------------------------------------------------------------


class ObjectWriter:
    """Writes the arguments of one call, which a model gives one after the other."""

    def __init__(self, calls: Calls, name: str) -> None:
        self._calls = calls
        self._properties = calls.properties(name)
        self._is_first = True
        self._is_empty = True
        calls.add("{")

    def schema(self, key: str) -> Mapping[str, Any]:
        """What a parameter's value must be; empty where nobody said."""
        found = self._properties.get(key)
        return found if isinstance(found, Mapping) else {}

    def key(self, key: str) -> None:
        """The next argument."""
        self._calls.add(("" if self._is_first else ", ") + json.dumps(key, ensure_ascii=False) + ": ")
        self._is_first = False

    def value(self, text: str) -> None:
        """A value in JSON, or a part of it."""
        self._calls.add(text)

    def text(self, text: str) -> None:
        """A part of a string, between two quotation marks that `value` writes."""
        self._calls.add(json.dumps(text, ensure_ascii=False)[1:-1])

    def close(self) -> None:
        """There are no more."""
        self._calls.add("}")
        self._calls.end()


def json_types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The JSON types that a schema allows; empty where it does not say."""
    types: set[str] = set()
    named = schema.get("type")
    if isinstance(named, str):
        types.add(named)
    elif isinstance(named, list):
        types.update(name for name in named if isinstance(name, str))
    for group in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(group) or ():
            if isinstance(branch, Mapping):
                types |= json_types(branch)
    values = [*(schema.get("enum") or ()), *([schema["const"]] if "const" in schema else ())]
    types.update(_type_of(value) for value in values)
    if schema.get("nullable") is True:
        types.add("null")
    return frozenset(types)


def is_text_only(schema: Mapping[str, Any]) -> bool:
    """Whether every value is a string."""
    return json_types(schema) == {"string"}


def typed_value(text: str, schema: Mapping[str, Any]) -> str:
    """A value that a model wrote without quotes, in JSON: what its schema says, else what it looks like."""
    types = json_types(schema)
    quoted = json.dumps(text, ensure_ascii=False)
    if types == {"string"}:
        return quoted
    plain = {"True": "true", "False": "false", "None": "null"}.get(text.strip(), text.strip())
    try:
        value = json.loads(plain)
    except (ValueError, RecursionError):
        return quoted
    if isinstance(value, float) and not math.isfinite(value):
        return quoted  # `NaN` is no JSON
    kind = _type_of(value)
    fits = not types or kind in types or (kind == "integer" and "number" in types)
    return plain if fits or "string" not in types else quoted


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    for kind, name in ((str, "string"), (float, "number"), (dict, "object"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "null"
