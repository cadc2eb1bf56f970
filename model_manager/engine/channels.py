r"""Reads answers that are a sequence of messages, each with a head that says what it is and for whom.

    gpt-oss (harmony):  <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final...
    Muse:               " to=self<|message|>...<|eom|><|start|>assistant to=user<|message|>...<|eot|>"
    Functionary 3.2:    >>>all\n...>>>name\n{...}

Source: https://cookbook.openai.com/articles/openai-harmony; llama.cpp, common/chat.cpp at 0c1e57098
"""

from __future__ import annotations

import re
from typing import Final

from model_manager.engine.answer_parts import Output
from model_manager.engine.blocks import Start
from model_manager.engine.cursor import Broken, Cursor, EndOfText, Sink, Steps
from model_manager.engine.families import Family
from model_manager.engine.tool_calls import json_arguments
from model_manager.engine.tool_formats import ToolFormat

MAX_HEAD_CHARS: Final = 512
_CHANNEL: Final = re.compile(r"<\|channel\|>\s*(\w+)")
_RECIPIENT: Final = re.compile(r"\bto=([^\s<]+)")
_FUNCTION: Final = re.compile(r"\bto=functions\.([^\s<]+)")


def read(family: Family, cursor: Cursor, output: Output, start: Start) -> Steps[None]:
    """Read until the text ends."""
    if family.style == "harmony":
        yield from _Harmony(cursor, output).read(start)
    elif family.style == "recipients":
        yield from _Recipients(family, cursor, output).read(start)
    else:
        yield from _functionary(cursor, output, start)


class _Messages:
    """What the first two have in common: heads up to a marker, bodies up to one of others."""

    def __init__(self, cursor: Cursor, output: Output, ends: tuple[str, ...]) -> None:
        self._cursor = cursor
        self._output = output
        self._message = cursor.encode("<|message|>")
        self._ends = tuple(map(cursor.encode, ends))

    def read(self, start: Start) -> Steps[None]:
        if start != "turn":
            yield from self._body(in_reasoning=start == "reasoning")
        while True:
            head = yield from self._head()
            yield from self._read_message(head)

    def _read_message(self, head: str) -> Steps[None]:
        raise NotImplementedError

    def _head(self) -> Steps[str]:
        """What stands before the body of the next message.

        A model that does not keep to the order at all has written plain text, which is its answer.
        """
        self._output.in_head = True
        self._cursor.start_record()
        try:
            head, _ = yield from self._cursor.take_until((self._message,), MAX_HEAD_CHARS)
        except (Broken, EndOfText):
            self._cursor.stop_record()
            if _CHANNEL.search(self._cursor.tokens.expand(self._cursor.ready)):
                self._cursor.take_span(len(self._cursor.ready))
            yield from self._body(in_reasoning=False)
            return ""
        self._cursor.stop_record()
        return head

    def _body(self, *, in_reasoning: bool) -> Steps[None]:
        self._output.in_reasoning = in_reasoning
        self._output.in_head = False
        sink: Sink = self._output.reasoning if in_reasoning else self._output.answer
        found = yield from self._cursor.pass_until(self._ends, sink, hides=True)
        self._output.turn(in_reasoning=False, marker=found)


class _Harmony(_Messages):
    def __init__(self, cursor: Cursor, output: Output) -> None:
        super().__init__(cursor, output, ("<|end|>", "<|call|>", "<|return|>", "<|start|>"))

    def _read_message(self, head: str) -> Steps[None]:
        function = _FUNCTION.search(head)
        if function is not None and self._output.calls.knows(function[1]):
            yield from self._call(function[1])
            return
        channels = _CHANNEL.findall(head)
        recipient = _RECIPIENT.search(head)
        # What is meant for the tools that such models were trained with is no answer.
        is_inner = recipient is not None and recipient[1] not in ("assistant", "user")
        is_analysis = bool(channels) and channels[-1] == "analysis"
        yield from self._body(in_reasoning=is_analysis or (is_inner and function is None))

    def _call(self, name: str) -> Steps[None]:
        calls = self._output.calls
        try:
            yield from json_arguments(self._cursor, calls, lambda: calls.begin(name))
        except Broken:
            calls.is_open = False
            yield from self._body(in_reasoning=False)
            return
        self._cursor.stop_record()
        yield from self._cursor.pass_until(self._ends, self._output.answer, hides=True)


class _Recipients(_Messages):
    def __init__(self, family: Family, cursor: Cursor, output: Output) -> None:
        super().__init__(cursor, output, ("<|eom|>", "<|eot|>"))
        self._tools: ToolFormat | None = family.tools if output.has_tools else None

    def _read_message(self, head: str) -> Steps[None]:
        recipient = _RECIPIENT.search(head)
        name = recipient[1] if recipient else "user"
        if name in ("user", "self") or self._tools is None:
            yield from self._body(in_reasoning=name == "self")
            return
        yield from self._cursor.skip_space()
        opened = yield from self._cursor.next_is(*map(self._cursor.encode, self._tools.opens))
        if opened:
            yield from self._output.read_section(self._tools, opened)
        yield from self._body(in_reasoning=False)


def _functionary(cursor: Cursor, output: Output, start: Start) -> Steps[None]:
    mark = cursor.encode(">>>")
    has_head = start == "turn"
    while True:
        output.in_head = has_head
        if has_head:
            yield from _functionary_head(cursor, output)
            output.in_head = False
        has_head = True
        yield from cursor.pass_until((mark,), output.answer)


def _functionary_head(cursor: Cursor, output: Output) -> Steps[None]:
    """The name of a tool, and its arguments; or "all", which is for everybody."""
    calls = output.calls
    cursor.start_record()
    try:
        name, _ = yield from cursor.take_until(("\n",))
    except (Broken, EndOfText):
        output.answer(cursor.stop_record())
        return
    name = name.strip()
    if name == "all":
        cursor.stop_record()
        return
    if not calls.knows(name):
        output.answer(cursor.stop_record())
        return
    try:
        yield from json_arguments(cursor, calls, lambda: calls.begin(name))
    except Broken:
        calls.is_open = False
    cursor.stop_record()
