"""The notations in which models write tool calls with a tag around every argument.

A value is a string if the tool's schema says so, and streams as it comes; anything else waits until it is
complete and becomes the JSON that it is.

Source: llama.cpp, common/chat*.cpp and models/templates at 0c1e57098.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from model_manager.engine.cursor import Broken, Cursor, Steps
from model_manager.engine.tool_calls import (
    Calls,
    ObjectWriter,
    is_text_only,
    json_types,
    typed_value,
)
from model_manager.engine.tool_formats import ToolFormat

_ATTRIBUTE: Final = re.compile(r'([\w:-]+)="([^"]*)"')
MAX_VALUE_CHARS: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Tags:
    """One notation with tags.

    Attributes:
        call: Begins a call; its name follows, or attributes among which it is.
        head_end: Ends the heads of calls and arguments.
        parameter: Begins an argument; its name follows, or attributes among which it is.
        value_end: Ends a value.
        call_end: Ends a call.
        section_ends: What may stand behind the last call.
        is_framed: A line break at either end of a value belongs to the notation.
        has_cdata: A value may be enclosed so that it can hold tags.
    """

    call: str
    head_end: str
    parameter: str
    value_end: str
    call_end: str
    section_ends: tuple[str, ...] = ()
    is_framed: bool = False
    has_cdata: bool = False

    @property
    def markers(self) -> tuple[str, ...]:
        """Everything in it that may be a token."""
        ends = (self.value_end, self.call_end, *self.section_ends)
        return (self.call, self.head_end, self.parameter, *ends)


def tagged(name: str, opens: tuple[str, ...], tags: Tags, *, ends_reasoning: bool = False) -> ToolFormat:
    """The format whose sections begin with one of `opens`; a call may do so itself."""

    def read(cursor: Cursor, calls: Calls, opened: str) -> Steps[None]:
        call = cursor.encode(tags.call)
        section_ends = tuple(map(cursor.encode, tags.section_ends))
        is_begun = opened == call
        n_before = calls.count
        while True:
            yield from cursor.skip_space()
            if not is_begun:
                found = yield from cursor.next_is(call, *section_ends)
                if found != call:
                    # The end of the text is an end, too.
                    if calls.count == n_before or (not found and cursor.ready):
                        raise Broken
                    return
            is_begun = False
            yield from _call(cursor, calls, tags)
            if opened == call and not section_ends:
                return

    return ToolFormat(name, opens, read, tags.markers, ends_reasoning=ends_reasoning)


def _call(cursor: Cursor, calls: Calls, tags: Tags) -> Steps[None]:
    head_end, parameter = cursor.encode(tags.head_end), cursor.encode(tags.parameter)
    call_end = cursor.encode(tags.call_end)
    head, _ = yield from cursor.take_until((head_end,))
    name = _attributes(head).get("tool") or _name(head)
    calls.begin(name)
    writer = ObjectWriter(calls, name)
    while True:
        yield from cursor.skip_space()
        found = yield from cursor.next_is(parameter, call_end)
        if not found:
            # Something that is neither: the call ends here, the rest is text.
            writer.close()
            raise Broken
        if found == call_end:
            writer.close()
            return
        head, _ = yield from cursor.take_until((head_end,))
        attributes = _attributes(head)
        key = attributes.get("key") or _name(head)
        writer.key(key)
        yield from _value(cursor, writer, tags, _schema(writer.schema(key), attributes))


def _schema(schema: Mapping[str, Any], attributes: Mapping[str, str]) -> Mapping[str, Any]:
    """What a value is, as the model itself says or else the tool's schema."""
    if attributes.get("string") == "true" or attributes.get("type") == "string":
        return {"type": "string"}
    if "string" in attributes or "type" in attributes:
        return {}
    return schema


def _value(cursor: Cursor, writer: ObjectWriter, tags: Tags, schema: Mapping[str, Any]) -> Steps[None]:
    end = cursor.encode(tags.value_end)
    ends: tuple[str, ...] = (end,)
    if tags.is_framed:
        yield from cursor.next_is("\n")
        ends = (f"\n{end}", end)
    if tags.has_cdata and (yield from cursor.next_is("<![CDATA[")):
        ends = (f"]]>{end}",)
    if is_text_only(schema):
        writer.value('"')
        yield from cursor.pass_until(ends, writer.text)
        writer.value('"')
    else:
        held: list[str] = []
        yield from cursor.pass_until(ends, held.append)
        writer.value(typed_value("".join(held), schema))


def _attributes(head: str) -> dict[str, str]:
    """`x" string="true` and `tool="x" index="1"` alike; the first name of the former is not among them."""
    return dict(_ATTRIBUTE.findall(head))


def _name(head: str) -> str:
    return head.strip().partition('"')[0]


# --- GLM and its relatives -------------------------------------------------------------------------------


def _glm(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """`<tool_call>name<arg_key>key</arg_key><arg_value>value</arg_value></tool_call>`."""
    key_mark, key_end = cursor.encode("<arg_key>"), cursor.encode("</arg_key>")
    value_mark, call_end = cursor.encode("<arg_value>"), cursor.encode("</tool_call>")
    yield from cursor.skip_space()
    head, found = yield from cursor.take_until((key_mark, call_end, "\n"))
    name = head.strip()
    calls.begin(name)
    writer = ObjectWriter(calls, name)
    while True:
        if found == call_end:
            writer.close()
            return
        if found == key_mark:
            key, _ = yield from cursor.take_until((key_end,))
            yield from cursor.skip_space()
            yield from cursor.expect(value_mark)
            writer.key(key.strip())
            tags = Tags("", "", "", "</arg_value>", "")
            yield from _value(cursor, writer, tags, writer.schema(key.strip()))
        yield from cursor.skip_space()
        found = yield from cursor.next_is(key_mark, call_end)
        if not found:
            writer.close()
            raise Broken


# --- MiniMax M3 ------------------------------------------------------------------------------------------

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


# --- the formats -----------------------------------------------------------------------------------------

QWEN_XML: Final = tagged(
    "qwen-xml",
    ("<tool_call>", "<function="),
    Tags(
        "<function=",
        ">",
        "<parameter=",
        "</parameter>",
        "</function>",
        ("</tool_call>",),
        is_framed=True,
    ),
    ends_reasoning=True,
)
SEED: Final = tagged(
    "seed",
    ("<seed:tool_call>",),
    Tags("<function=", ">", "<parameter=", "</parameter>", "</function>", ("</seed:tool_call>",)),
)
MINIMAX_M2: Final = tagged(
    "minimax-m2",
    ("<minimax:tool_call>",),
    Tags('<invoke name="', ">", '<parameter name="', "</parameter>", "</invoke>", ("</minimax:tool_call>",)),
)
MINICPM: Final = tagged(
    "minicpm",
    ('<function name="',),
    Tags('<function name="', ">", '<param name="', "</param>", "</function>", has_cdata=True),
)


def dsml(section: str) -> ToolFormat:
    """DeepSeek V3.2's (`function_calls`) and V4's (`tool_calls`)."""
    return tagged(
        "dsml",
        (f"<｜DSML｜{section}>",),
        Tags(
            '<｜DSML｜invoke name="',
            ">",
            '<｜DSML｜parameter name="',
            "</｜DSML｜parameter>",
            "</｜DSML｜invoke>",
            (f"</｜DSML｜{section}>",),
        ),
        ends_reasoning=True,
    )


KIMI_K3: Final = tagged(
    "kimi-k3",
    ("<|open|>tools<|sep|>",),
    Tags(
        "<|open|>call ",
        "<|sep|>",
        "<|open|>argument ",
        "<|close|>argument<|sep|>",
        "<|close|>call<|sep|>",
        ("<|close|>tools<|sep|>",),
    ),
)
MUSE: Final = tagged(
    "muse",
    ("<atem:function_calls>",),
    Tags(
        '<atem:invoke name="',
        ">",
        '<atem:parameter name="',
        "</atem:parameter>",
        "</atem:invoke>",
        ("</atem:function_calls>",),
    ),
)
_GLM_MARKERS: Final = ("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "</tool_call>")
GLM: Final = ToolFormat("glm", ("<tool_call>",), _glm, _GLM_MARKERS)
LING: Final = ToolFormat("ling", ("<tool_call>",), _glm, _GLM_MARKERS, ends_reasoning=True)
MINIMAX_M3: Final = ToolFormat("minimax-m3", (f"{_NS}<tool_call>",), _minimax_m3, (_NS,))
