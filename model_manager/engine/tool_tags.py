"""The notations in which models write tool calls with a tag around every argument.

A value is a string if the tool's schema says so, and streams as it comes; anything else waits until it is
complete and becomes the JSON that it is.

Source: llama.cpp, common/chat*.cpp and models/templates at 0c1e57098.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from model_manager.engine.cursor import Broken, Cursor, Steps
from model_manager.engine.tool_calls import (
    Calls,
    ObjectWriter,
    is_text_only,
    typed_value,
)
from model_manager.engine.tool_formats import ArgumentForm, ToolFormat

_ATTRIBUTE: Final = re.compile(r'([\w:-]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Tags:
    """One notation with tags.

    Attributes:
        call: Begins a call; its name follows, or attributes among which it is.
        head_end: Ends the heads of calls and arguments.
        parameter: Begins an argument; its name follows, or attributes among which it is.
        after: What stands from its name to the value, of a text and of another value.
        value_end: Ends a value.
        call_end: Ends a call.
        section_ends: What may stand behind the last call.
        is_framed: A line break at either end of a value belongs to the notation.
        has_cdata: A value may be enclosed so that it can hold tags.
    """

    call: str
    head_end: str
    parameter: str
    after: tuple[str, str]
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


def tagged(
    name: str,
    opens: tuple[str, ...],
    tags: Tags,
    *,
    ends_reasoning: bool = False,
    lead: tuple[str, str] = ("", ""),
) -> ToolFormat:
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

    before = tags.parameter if tags.parameter.endswith(("=", '"')) else f'{tags.parameter}key="'
    form = ArgumentForm(before, tags.after, tags.value_end, tags.call_end, is_framed=tags.is_framed)
    return ToolFormat(name, opens, read, tags.markers, ends_reasoning=ends_reasoning, lead=lead, form=form)


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
        ends = yield from _value_ends(cursor, tags)
        yield from _value(cursor, writer, ends, _schema(writer.schema(key), attributes))


def _schema(schema: Mapping[str, Any], attributes: Mapping[str, str]) -> Mapping[str, Any]:
    """What a value is, as the model itself says or else the tool's schema."""
    if attributes.get("string") == "true" or attributes.get("type") == "string":
        return {"type": "string"}
    if "string" in attributes or "type" in attributes:
        return {}
    return schema


def _value_ends(cursor: Cursor, tags: Tags) -> Steps[tuple[str, ...]]:
    """What may end the value that begins here; what is before it but not a part of it is consumed."""
    end = cursor.encode(tags.value_end)
    if tags.is_framed:
        yield from cursor.next_is("\n")
        return (f"\n{end}", end)
    if tags.has_cdata and (yield from cursor.next_is("<![CDATA[")):
        return (f"]]>{end}",)
    return (end,)


def _value(
    cursor: Cursor, writer: ObjectWriter, ends: tuple[str, ...], schema: Mapping[str, Any]
) -> Steps[None]:
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
    key_mark, call_end = cursor.encode("<arg_key>"), cursor.encode("</tool_call>")
    yield from cursor.skip_space()
    head, found = yield from cursor.take_until((key_mark, call_end, "\n"))
    yield from _keyed_arguments(cursor, calls, head.strip(), "", call_end, found)


def _keyed_arguments(
    cursor: Cursor, calls: Calls, name: str, suffix: str, call_end: str, found: str = ""
) -> Steps[None]:
    """Keys and values between marks, up to the end of the call; `found` was consumed already."""
    key_mark, key_end = cursor.encode(f"<arg_key{suffix}>"), cursor.encode(f"</arg_key{suffix}>")
    value_mark = cursor.encode(f"<arg_value{suffix}>")
    value_end = cursor.encode(f"</arg_value{suffix}>")
    calls.begin(name, read=found)
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
            yield from _value(cursor, writer, (value_end,), writer.schema(key.strip()))
        yield from cursor.skip_space()
        found = yield from cursor.next_is(key_mark, call_end)
        if not found:
            writer.close()
            raise Broken


def hunyuan(suffix: str) -> ToolFormat:
    """GLM's notation in a section of its own, every marker with a suffix."""

    def mark(name: str) -> str:
        return f"<{name}{suffix}>"

    def read(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
        begin, section_end = cursor.encode(mark("tool_call")), cursor.encode(mark("/tool_calls"))
        separator, call_end = cursor.encode(mark("tool_sep")), cursor.encode(mark("/tool_call"))
        while True:
            yield from cursor.skip_space()
            if (yield from cursor.expect(begin, section_end)) == section_end:
                return
            head, _ = yield from cursor.take_until((separator,))
            yield from _keyed_arguments(cursor, calls, head.strip(), suffix, call_end)

    inner = ("tool_call", "/tool_call", "/tool_calls", "tool_sep")
    keyed = ("arg_key", "/arg_key", "arg_value", "/arg_value")
    begin = f"{mark('tool_calls')}\n{mark('tool_call')}"
    return ToolFormat(
        "hunyuan",
        (mark("tool_calls"),),
        read,
        tuple(map(mark, inner + keyed)),
        lead=(begin, f"{mark('tool_sep')}\n"),
        form=_keyed_form(suffix),
    )


def _keyed_form(suffix: str = "") -> ArgumentForm:
    after = f"</arg_key{suffix}>\n<arg_value{suffix}>"
    return ArgumentForm(
        f"<arg_key{suffix}>", (after, after), f"</arg_value{suffix}>", f"</tool_call{suffix}>"
    )


# --- the formats -----------------------------------------------------------------------------------------

QWEN_XML: Final = tagged(
    "qwen-xml",
    ("<tool_call>", "<function="),
    Tags(
        "<function=",
        ">",
        "<parameter=",
        (">\n", ">\n"),
        "</parameter>",
        "</function>",
        ("</tool_call>",),
        is_framed=True,
    ),
    ends_reasoning=True,
    lead=("<tool_call>\n<function=", ">\n"),
)
SEED: Final = tagged(
    "seed",
    ("<seed:tool_call>",),
    Tags("<function=", ">", "<parameter=", (">", ">"), "</parameter>", "</function>", ("</seed:tool_call>",)),
    lead=("<seed:tool_call>\n<function=", ">\n"),
)
MINIMAX_M2: Final = tagged(
    "minimax-m2",
    ("<minimax:tool_call>",),
    Tags(
        '<invoke name="',
        ">",
        '<parameter name="',
        ('">', '">'),
        "</parameter>",
        "</invoke>",
        ("</minimax:tool_call>",),
    ),
    lead=('<minimax:tool_call>\n<invoke name="', '">\n'),
)
MINICPM: Final = tagged(
    "minicpm",
    ('<function name="',),
    Tags('<function name="', ">", '<param name="', ('">', '">'), "</param>", "</function>", has_cdata=True),
    lead=('<function name="', '">'),
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
            ('" string="true">', '" string="false">'),
            "</｜DSML｜parameter>",
            "</｜DSML｜invoke>",
            (f"</｜DSML｜{section}>",),
        ),
        ends_reasoning=True,
        lead=(f'<｜DSML｜{section}>\n<｜DSML｜invoke name="', '">\n'),
    )


KIMI_K3: Final = tagged(
    "kimi-k3",
    ("<|open|>tools<|sep|>",),
    Tags(
        "<|open|>call ",
        "<|sep|>",
        "<|open|>argument ",
        ('" type="string"<|sep|>', '" type="{type}"<|sep|>'),
        "<|close|>argument<|sep|>",
        "<|close|>call<|sep|>",
        ("<|close|>tools<|sep|>",),
    ),
    lead=('<|open|>tools<|sep|><|open|>call tool="', '" index="1"<|sep|>'),
)
MUSE: Final = tagged(
    "muse",
    ("<atem:function_calls>",),
    Tags(
        '<atem:invoke name="',
        ">",
        '<atem:parameter name="',
        ('">', '">'),
        "</atem:parameter>",
        "</atem:invoke>",
        ("</atem:function_calls>",),
    ),
)
_GLM_MARKERS: Final = ("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "</tool_call>")
GLM: Final = ToolFormat(
    "glm", ("<tool_call>",), _glm, _GLM_MARKERS, lead=("<tool_call>", "\n"), form=_keyed_form()
)
LING: Final = replace(GLM, name="ling", ends_reasoning=True)
