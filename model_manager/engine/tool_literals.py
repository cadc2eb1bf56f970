"""The notations in which models write the arguments of tool calls as literals of a language.

Source: llama.cpp, common/chat*.cpp and models/templates at 0c1e57098.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from model_manager.engine.cursor import Broken, Cursor, Steps
from model_manager.engine.tool_calls import Calls, loads_or_broken
from model_manager.engine.tool_formats import ArgumentForm, ToolFormat

MAX_SCALAR_CHARS: Final = 512

# --- Gemma 4 ---------------------------------------------------------------------------------------------

_QUOTE: Final = '<|"|>'


def _gemma(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """`<|tool_call>call:name{key:<|"|>text<|"|>,other:1}<tool_call|>`."""
    yield from cursor.skip_space()
    yield from cursor.expect("call:")
    name, _ = yield from cursor.take_until(("{",))
    calls.begin(name.strip())
    calls.add("{")
    yield from _gemma_members(cursor, calls)
    calls.add("}")
    calls.end()
    yield from cursor.skip_space()
    yield from cursor.next_is(cursor.encode("<tool_call|>"))


def _gemma_members(cursor: Cursor, calls: Calls) -> Steps[None]:
    separator = ""
    while True:
        yield from cursor.skip_space()
        if (yield from cursor.next_is("}", ",")) == "}":
            return
        yield from cursor.skip_space()
        key, _ = yield from cursor.take_until((":",))
        key = key.strip().removeprefix(_QUOTE).removesuffix(_QUOTE).strip('"')
        calls.add(f"{separator}{json.dumps(key, ensure_ascii=False)}: ")
        separator = ", "
        yield from _gemma_value(cursor, calls)


def _gemma_value(cursor: Cursor, calls: Calls) -> Steps[None]:
    yield from cursor.skip_space()
    quote = cursor.encode(_QUOTE)
    found = yield from cursor.next_is(quote, '"', "{", "[")
    if found in (quote, '"'):
        calls.add('"')
        yield from cursor.pass_until(
            (found,), lambda text: calls.add(json.dumps(text, ensure_ascii=False)[1:-1])
        )
        calls.add('"')
    elif found == "{":
        calls.add("{")
        yield from _gemma_members(cursor, calls)
        calls.add("}")
    elif found == "[":
        calls.add("[")
        separator = ""
        while True:
            yield from cursor.skip_space()
            if (yield from cursor.next_is("]", ",")) == "]":
                break
            calls.add(separator)
            separator = ", "
            yield from _gemma_value(cursor, calls)
        calls.add("]")
    else:
        yield from _plain_scalar(cursor, calls)


def _plain_scalar(cursor: Cursor, calls: Calls) -> Steps[None]:
    """A number, a truth value or nothing, in JSON's spelling or Python's."""
    text = ""
    while (yield from cursor.peek()) not in ",}])" and not cursor.ready[0].isspace():
        text += yield from cursor.take()
        if len(text) > MAX_SCALAR_CHARS:
            raise Broken
    text = {"True": "true", "False": "false", "None": "null"}.get(text, text)
    loads_or_broken(text)
    calls.add(text)


# --- LFM2 ------------------------------------------------------------------------------------------------


def _lfm2(cursor: Cursor, calls: Calls, _opened: str) -> Steps[None]:
    """A list of Python calls: `[f(a=1, b="x"), g()]`."""
    yield from cursor.skip_space()
    yield from cursor.expect("[")
    while True:
        yield from cursor.skip_space()
        name, _ = yield from cursor.take_until(("(",))
        calls.begin(name.strip())
        calls.add("{")
        separator = ""
        while True:
            yield from cursor.skip_space()
            if (yield from cursor.next_is(")", ",")) == ")":
                break
            yield from cursor.skip_space()
            key, _ = yield from cursor.take_until(("=",))
            calls.add(f"{separator}{json.dumps(key.strip(), ensure_ascii=False)}: ")
            separator = ", "
            yield from _python_value(cursor, calls)
        calls.add("}")
        calls.end()
        yield from cursor.skip_space()
        if (yield from cursor.expect(",", "]")) == "]":
            break
    yield from cursor.skip_space()
    yield from cursor.next_is(cursor.encode("<|tool_call_end|>"))


def _python_value(cursor: Cursor, calls: Calls) -> Steps[None]:
    yield from cursor.skip_space()
    found = yield from cursor.next_is('"', "'", "{", "[")
    if found in ('"', "'"):
        calls.add('"')
        yield from _python_string(cursor, calls, found)
        calls.add('"')
    elif found:
        close = "}" if found == "{" else "]"
        calls.add(found)
        separator = ""
        while True:
            yield from cursor.skip_space()
            if (yield from cursor.next_is(close, ",")) == close:
                break
            yield from cursor.skip_space()
            calls.add(separator)
            separator = ", "
            yield from _python_value(cursor, calls)
            if found == "{":
                yield from cursor.skip_space()
                yield from cursor.expect(":")
                calls.add(": ")
                yield from _python_value(cursor, calls)
        calls.add(close)
    else:
        yield from _plain_scalar(cursor, calls)


_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_HEX_ESCAPES: Final = {"u": 4, "x": 2, "U": 8}


def _python_string(cursor: Cursor, calls: Calls, quote: str) -> Steps[None]:
    def add(text: str) -> None:
        calls.add(json.dumps(text, ensure_ascii=False)[1:-1])

    while (stop := (yield from cursor.pass_until((quote, "\\"), add))) != quote:
        char = yield from cursor.take()
        assert stop == "\\"
        if char in _HEX_ESCAPES:
            digits = ""
            for _ in range(_HEX_ESCAPES[char]):
                digits += yield from cursor.take()
            try:
                code = int(digits, 16)
                # A half of a pair, as JSON has them, may stand in JSON as it is.
                calls.add(f"\\u{code:04x}") if 0xD800 <= code < 0xE000 else add(chr(code))
            except (ValueError, OverflowError):
                raise Broken from None
        else:
            add(_ESCAPES.get(char, char))


def python_call(name: str, arguments: Mapping[str, Any] | None) -> str:
    """A call as LFM2 writes it."""
    given = ", ".join(f"{key}={_literal(value)}" for key, value in (arguments or {}).items())
    return f"{name}({given})"


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


GEMMA: Final = ToolFormat(
    "gemma",
    ("<|tool_call>",),
    _gemma,
    ("<tool_call|>", _QUOTE),
    lead=("<|tool_call>call:", "{"),
    form=ArgumentForm("", (":", ":"), "", "}", ",", has_bare_text=False, quote=_QUOTE),
)
LFM2: Final = ToolFormat(
    "lfm2",
    ("<|tool_call_start|>",),
    _lfm2,
    ("<|tool_call_end|>",),
    lead=("<|tool_call_start|>[", "("),
    form=ArgumentForm("", ("=", "="), "", ")", ", ", has_bare_text=False),
)
