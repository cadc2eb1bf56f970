"""The notations in which models write tool calls as JSON, with markers of many kinds around it.

Source: llama.cpp, common/chat*.cpp and models/templates at 0c1e57098.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from model_manager.engine.cursor import Broken, Cursor, EndOfText, Steps
from model_manager.engine.tool_calls import Calls, json_arguments, json_value, loads_or_broken

Reader = Callable[[Cursor, Calls, str], Steps[None]]


@dataclass(frozen=True, slots=True)
class ArgumentForm:
    r"""How arguments are written that come one by one, for whoever binds a model to them.

    A `\n` in these texts may be left out. In `value_end`, `{name}` is the argument's; in `after`, `{type}` is
    the JSON type of its value.

    Attributes:
        before: What stands before an argument's name.
        after: What stands from its name to the value, of a text and of another value.
        value_end: What ends a value.
        call_end: What ends the arguments of a call.
        between: What stands between two arguments; "" where a line break may.
        has_bare_text: A string is written as it is; otherwise as in the values that hold it.
        quote: What stands around a string within a value. If it is no quotation mark, the string is as it is,
            and the names of members have none.
        is_framed: A line break before `value_end` belongs to the notation.
    """

    before: str
    after: tuple[str, str]
    value_end: str
    call_end: str
    between: str = ""
    has_bare_text: bool = True
    quote: str = '"'
    is_framed: bool = False


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """How one group of models writes tool calls.

    Attributes:
        name: For people and tests.
        opens: Markers that begin a section of calls.
        read: Reads a section behind its first marker, of which it is told; raises `Broken` for what is none.
        markers: All other markers that may be tokens.
        ends_reasoning: A section may begin inside the reasoning and ends it.
        is_bare: A call has no marker; it stands at the very beginning of an answer.
        lead: What a call begins with up to the name, and from there to the arguments; empty where a model
            cannot be made to call.
        form: How the arguments are written; None where they are one object in JSON, or not to be bound.
    """

    name: str
    opens: tuple[str, ...]
    read: Reader
    markers: tuple[str, ...] = ()
    ends_reasoning: bool = False
    is_bare: bool = False
    lead: tuple[str, str] = ("", "")
    form: ArgumentForm | None = None


# --- objects with the name and the arguments in them -----------------------------------------------------

_NAMES: Final = ("name", "tool_name", "function")
_ARGUMENTS: Final = ("arguments", "parameters", "args")
_IDS: Final = ("id", "tool_call_id", "call_id")


def json_section(*closes: str) -> Reader:
    """Objects, one or a list of them, ended by one of `closes` or by the end of the text."""

    def read(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
        yield from cursor.skip_space()
        is_list = (yield from cursor.peek()) == "["
        if is_list:
            yield from cursor.take()
        ends = [cursor.encode(close) for close in closes]
        while True:
            yield from cursor.skip_space()
            yield from json_call(cursor, calls)
            yield from cursor.skip_space()
            if is_list:
                if (yield from cursor.expect(",", "]")) == "]":
                    break
            elif not cursor.ready or cursor.ready[0] != "{":
                break
        yield from cursor.skip_space()
        if ends:
            yield from cursor.next_is(*ends)

    return read


def json_call(cursor: Cursor, calls: Calls) -> Steps[None]:
    """One object that is a call; arguments that come before the name wait for it.

    Raises:
        Broken: It is no call, or of no tool that was offered.
    """
    yield from cursor.expect("{")
    name, call_id, early = "", "", None
    while True:
        yield from cursor.skip_space()
        if (yield from cursor.next_is("}", ",")) == "}":
            break
        yield from cursor.skip_space()
        key = yield from _text_value(cursor)
        yield from cursor.skip_space()
        yield from cursor.expect(":")
        yield from cursor.skip_space()
        if key in _NAMES and not name:
            name = yield from _text_value(cursor)
            if not calls.knows(name):
                raise Broken
        elif key in _IDS:
            call_id = yield from _text_or_number(cursor)
        elif (key in _ARGUMENTS or calls.knows(key)) and not calls.is_open:
            named = name or (key if calls.knows(key) else "")
            if named:
                yield from _arguments(cursor, calls, named, call_id)
                yield from _rest_of_object(cursor)
                return
            held: list[str] = []
            yield from json_value(cursor, held.append)
            early = "".join(held)
        else:
            yield from json_value(cursor, lambda _text: None)
    if not name:
        raise Broken
    if early is not None and not isinstance(loads_or_broken(early), dict):
        raise Broken
    calls.begin(name, call_id)
    calls.add(early or "{}")
    calls.end()


def _arguments(cursor: Cursor, calls: Calls, name: str, call_id: str) -> Steps[None]:
    if (yield from cursor.peek()) == "n":  # null
        yield from json_value(cursor, lambda _text: None)
        calls.begin(name, call_id)
        calls.end()
    else:
        yield from json_arguments(cursor, calls, lambda: calls.begin(name, call_id))


def _rest_of_object(cursor: Cursor) -> Steps[None]:
    """Skip to the end of an object whose call is complete."""
    while True:
        yield from cursor.skip_space()
        if (yield from cursor.expect("}", ",")) == "}":
            return
        yield from cursor.skip_space()
        yield from json_value(cursor, lambda _text: None)
        yield from cursor.skip_space()
        yield from cursor.expect(":")
        yield from cursor.skip_space()
        yield from json_value(cursor, lambda _text: None)


def _text_value(cursor: Cursor) -> Steps[str]:
    if (yield from cursor.peek()) != '"':
        raise Broken
    return (yield from _text_or_number(cursor))


def _text_or_number(cursor: Cursor) -> Steps[str]:
    held: list[str] = []
    yield from json_value(cursor, held.append)
    value = loads_or_broken("".join(held))
    return value if isinstance(value, str) else json.dumps(value)


# --- a name in markers, arguments in JSON ----------------------------------------------------------------


def _mistral(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """`[TOOL_CALLS]name[CALL_ID]id[ARGS]{...}`, or a list of objects behind `[TOOL_CALLS]`."""
    yield from cursor.skip_space()
    if (yield from cursor.peek()) == "[":
        yield from json_section()(cursor, calls, "")
        return
    id_mark, arguments = cursor.encode("[CALL_ID]"), cursor.encode("[ARGS]")
    call_id = ""
    name, stop = yield from cursor.take_until((id_mark, arguments))
    if stop == id_mark:
        call_id, _ = yield from cursor.take_until((arguments,))
    yield from json_arguments(cursor, calls, lambda: calls.begin(name.strip(), call_id.strip()))


def _kimi_k2(cursor: Cursor, calls: Calls, opened: str) -> Steps[None]:
    """`<|tool_call_begin|>functions.name:0<|tool_call_argument_begin|>{...}<|tool_call_end|>`."""
    begin, argument = cursor.encode("<|tool_call_begin|>"), cursor.encode("<|tool_call_argument_begin|>")
    end, section_end = cursor.encode("<|tool_call_end|>"), cursor.encode("<|tool_calls_section_end|>")
    is_begun = opened == begin
    while True:
        yield from cursor.skip_space()
        if not is_begun and (yield from cursor.expect(begin, section_end)) == section_end:
            return
        is_begun = False
        head, _ = yield from cursor.take_until((argument,))
        call_id = head.strip()
        name = call_id.removeprefix("functions.").rpartition(":")[0] or call_id
        announce = _announcer(calls, name, call_id)
        yield from json_arguments(cursor, calls, announce)
        yield from cursor.skip_space()
        yield from cursor.next_is(end)
        yield from cursor.skip_space()
        if not cursor.ready:
            return


def _deepseek(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """R1's `function<sep>name` with a fenced object, V3.1's `name<sep>{...}`."""
    begin, separator = cursor.encode("<｜tool▁call▁begin｜>"), cursor.encode("<｜tool▁sep｜>")
    end, section_end = cursor.encode("<｜tool▁call▁end｜>"), cursor.encode("<｜tool▁calls▁end｜>")
    while True:
        yield from cursor.skip_space()
        if (yield from cursor.expect(begin, section_end)) == section_end:
            return
        head, _ = yield from cursor.take_until((separator,))
        name = head.strip()
        if name == "function":
            head, _ = yield from cursor.take_until(("\n",))
            name = head.strip()
            yield from cursor.next_is("```json\n")
        yield from json_arguments(cursor, calls, _announcer(calls, name, ""))
        yield from cursor.skip_space()
        yield from cursor.next_is("```")
        yield from cursor.skip_space()
        yield from cursor.next_is(end)


def _function_tag(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """`<function=name>{...}</function>`."""
    name, _ = yield from cursor.take_until((">",))
    yield from json_arguments(cursor, calls, lambda: calls.begin(name))
    yield from cursor.skip_space()
    yield from cursor.next_is("</function>")


def _solar(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """`<|tool_call:begin|>id<|tool_call:name|>name<|tool_call:args|>{...}<|tool_call:end|>`."""
    begin, end = cursor.encode("<|tool_call:begin|>"), cursor.encode("<|tool_call:end|>")
    name_mark, arguments = cursor.encode("<|tool_call:name|>"), cursor.encode("<|tool_call:args|>")
    while True:
        yield from cursor.skip_space()
        if not (yield from cursor.next_is(begin)):
            return
        call_id, _ = yield from cursor.take_until((name_mark,))
        name, _ = yield from cursor.take_until((arguments,))
        yield from json_arguments(cursor, calls, _announcer(calls, name.strip(), call_id.strip()))
        yield from cursor.skip_space()
        yield from cursor.next_is(end)


def _announcer(calls: Calls, name: str, call_id: str) -> Callable[[], None]:
    return lambda: calls.begin(name, call_id)


def _bare(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """Llama 3: the object alone."""
    yield from json_call(cursor, calls)
    try:
        yield from cursor.skip_space()
        while (yield from cursor.next_is(";")):
            yield from cursor.skip_space()
            yield from json_call(cursor, calls)
            yield from cursor.skip_space()
    except EndOfText:
        return


_THEN_ARGUMENTS: Final = '", "arguments": '
_THEN_PARAMETERS: Final = '", "parameters": '


def _enclosed(name: str, opening: str, closing: str, lead: tuple[str, str]) -> ToolFormat:
    """Objects between two markers; `lead` without the opening one."""
    return ToolFormat(
        name, (opening,), json_section(closing), (closing,), lead=(f"{opening}{lead[0]}", lead[1])
    )


HERMES: Final = _enclosed("hermes", "<tool_call>", "</tool_call>", ('\n{"name": "', _THEN_ARGUMENTS))
TOOLCALL: Final = _enclosed("toolcall", "<TOOLCALL>", "</TOOLCALL>", ('[{"name": "', _THEN_ARGUMENTS))
TOOL_CALLS: Final = _enclosed("tool_calls", "<tool_calls>", "</tool_calls>", ('[{"name": "', _THEN_ARGUMENTS))
APERTUS: Final = _enclosed("apertus", "<|tools_prefix|>", "<|tools_suffix|>", ('[{"', '": '))
COHERE: Final = _enclosed(
    "cohere",
    "<|START_ACTION|>",
    "<|END_ACTION|>",
    ('[\n    {"tool_call_id": "0", "tool_name": "', _THEN_PARAMETERS),
)
COMMAND_R: Final = ToolFormat(
    "command-r",
    ("Action:\n```json\n", "Action: ```json\n"),
    json_section("```"),
    lead=('Action:\n```json\n[{"tool_name": "', _THEN_PARAMETERS),
)
FUNCTOOLS: Final = ToolFormat(
    "functools", ("functools",), json_section(), lead=('functools[{"name": "', _THEN_ARGUMENTS)
)
GIGACHAT: Final = ToolFormat(
    "gigachat",
    ("<|function_call|>", "<|message_sep|>\n\nfunction call<|role_sep|>\n"),
    json_section(),
    lead=('<|function_call|>{"name": "', _THEN_ARGUMENTS),
)
GRANITE: Final = ToolFormat(
    "granite", ("<|tool_call|>",), json_section(), lead=('<|tool_call|>[{"name": "', _THEN_ARGUMENTS)
)
MISTRAL: Final = ToolFormat(
    "mistral", ("[TOOL_CALLS]",), _mistral, ("[ARGS]", "[CALL_ID]"), lead=("[TOOL_CALLS]", "[ARGS]")
)
KIMI_K2: Final = ToolFormat(
    "kimi-k2",
    ("<|tool_calls_section_begin|>", "<|tool_call_begin|>"),
    _kimi_k2,
    ("<|tool_call_argument_begin|>", "<|tool_call_end|>", "<|tool_calls_section_end|>"),
    ends_reasoning=True,
    lead=(
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.",
        ":0<|tool_call_argument_begin|>",
    ),
)
DEEPSEEK: Final = ToolFormat(
    "deepseek",
    ("<｜tool▁calls▁begin｜>",),
    _deepseek,
    ("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
    lead=("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>", "<｜tool▁sep｜>"),
)
FUNCTION_TAG: Final = ToolFormat("function-tag", ("<function=",), _function_tag, lead=("<function=", ">"))
SOLAR: Final = ToolFormat(
    "solar",
    ("<|tool_calls|>",),
    _solar,
    ("<|tool_call:begin|>", "<|tool_call:name|>", "<|tool_call:args|>", "<|tool_call:end|>"),
    lead=("<|tool_calls|><|tool_call:begin|>0<|tool_call:name|>", "<|tool_call:args|>"),
)
LLAMA: Final = ToolFormat(
    "llama", ("<|python_tag|>",), _bare, is_bare=True, lead=('{"name": "', _THEN_PARAMETERS)
)
