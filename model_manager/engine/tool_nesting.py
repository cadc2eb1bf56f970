"""MiniMax M3's notation of tool calls: tags behind a namespace token, nested like the value.

Source: llama.cpp, common/parsers/minimax-m3.cpp at 0c1e57098.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from model_manager.engine.cursor import Broken, Cursor, Steps
from model_manager.engine.tool_calls import Calls, ObjectWriter, is_text_only, json_types, typed_value
from model_manager.engine.tool_formats import ArgumentForm, ToolFormat

MAX_VALUE_CHARS: Final = 1 << 24
_NS: Final = "]<]minimax[>["


def _minimax_m3(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """Tags behind a namespace token, nested like the value."""
    ns = cursor.encode(_NS)
    while True:
        yield from cursor.skip_space()
        yield from cursor.expect(ns)
        if not (yield from cursor.expect('<invoke name="', "</tool_call>")).startswith("<invoke"):
            return
        name, _ = yield from cursor.take_until(('">',))
        calls.begin(name)
        writer = ObjectWriter(calls, name)
        while True:
            yield from cursor.skip_space()
            yield from cursor.expect(ns)
            if (yield from cursor.expect("</invoke>", "<")) != "<":
                break
            key, _ = yield from cursor.take_until((">",))
            writer.key(key)
            yield from _m3_value(cursor, writer, key, writer.schema(key))
        writer.close()


def _m3_value(cursor: Cursor, writer: ObjectWriter, key: str, schema: Mapping[str, Any]) -> Steps[None]:
    end = f"{cursor.encode(_NS)}</{key}>"
    if is_text_only(schema):
        writer.value('"')
        yield from cursor.pass_until((end,), writer.text)
        writer.value('"')
        return
    held, _ = yield from cursor.take_until((end,), MAX_VALUE_CHARS)
    writer.value(_m3_json(held, schema))


def _m3_json(text: str, schema: Mapping[str, Any]) -> str:
    """The JSON of a complete value, which may hold tags."""
    inner = text.strip()
    types = json_types(schema)
    if not inner.startswith(f"{_NS}<") or "string" in types:
        return typed_value(text, schema)
    children = list(_m3_children(inner))
    if all(tag == "item" for tag, _ in children) and (not types or "array" in types):
        items = _m3_branch(schema, "array").get("items")
        parts = [_m3_json(body, items if isinstance(items, Mapping) else {}) for _, body in children]
        return f"[{', '.join(parts)}]"
    properties = _m3_branch(schema, "object").get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    pairs = [
        f"{json.dumps(tag, ensure_ascii=False)}: {_m3_json(body, known.get(tag) or {})}"
        for tag, body in children
    ]
    return f"{{{', '.join(pairs)}}}"


def _m3_branch(schema: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The alternative of a schema that describes a `kind`."""
    for group in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(group) or ():
            if isinstance(branch, Mapping) and kind in json_types(branch):
                return _m3_branch(branch, kind)
    return schema


def _m3_children(text: str) -> list[tuple[str, str]]:
    """The elements side by side in a value."""
    children: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        begin = re.compile(rf"\s*{re.escape(_NS)}<([^<>/]+)>").match(text, position)
        if begin is None:
            raise Broken
        tag, depth, cursor = begin[1], 1, begin.end()
        marks = re.compile(rf"{re.escape(_NS)}<(/?){re.escape(tag)}>")
        while depth:
            found = marks.search(text, cursor)
            if found is None:
                raise Broken
            depth += -1 if found[1] else 1
            cursor = found.end()
        assert found is not None
        children.append((tag, text[begin.end() : found.start()]))
        position = cursor + len(text[cursor:]) - len(text[cursor:].lstrip())
    return children


MINIMAX_M3: Final = ToolFormat(
    "minimax-m3",
    (f"{_NS}<tool_call>",),
    _minimax_m3,
    (_NS,),
    lead=(']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="', '">'),
    # Lists and objects in JSON, which is understood as well.
    form=ArgumentForm(f"{_NS}<", (">", ">"), f"{_NS}</{{name}}>", f"{_NS}</invoke>"),
)
