"""Reads answers in which markers enclose the reasoning and the tool calls: most families."""

from __future__ import annotations

from typing import Literal

from model_manager.engine.answer_parts import Output
from model_manager.engine.cursor import Cursor, Steps
from model_manager.engine.dialects import Dialect

Start = Literal["turn", "reasoning", "answer"]
"""Where a prompt leaves off: before everything, inside the reasoning, or inside the answer."""


class Blocks:
    """Reasoning, then an answer, then tool calls, and any of it again."""

    def __init__(self, dialect: Dialect, cursor: Cursor, output: Output) -> None:
        family, encode = dialect.family, dialect.tokens.encode
        self._cursor = cursor
        self._output = output
        self._tools = family.tools if output.has_tools else None
        self._tool_opens = tuple(map(encode, self._tools.opens)) if self._tools else ()
        self._opening = self._closing = ""
        self._opens_anywhere = False
        if family.reasoning is not None:
            self._opening, self._closing = encode(family.reasoning.opening), encode(family.reasoning.closing)
            self._opens_anywhere = dialect.tokens.is_token(family.reasoning.opening)
        self._silent = tuple(map(encode, family.silent))
        self._envelope: tuple[str, ...] = ()
        self._has_loose_envelope = False
        if family.envelope is not None:
            self._envelope = (encode(family.envelope.opening), encode(family.envelope.closing))
            self._has_loose_envelope = not family.envelope.opening.startswith("<|")

    def read(self, start: Start) -> Steps[None]:
        """Read until the text ends."""
        if start == "reasoning" and self._closing:
            self._output.turn(in_reasoning=True)
            yield from self._think()
        elif start == "turn":
            yield from self._begin()
        while True:
            yield from self._answer()

    def _begin(self) -> Steps[None]:
        """What counts only as the very first: a spelled-out opening marker, a call without any marker."""
        is_bare = self._tools is not None and self._tools.is_bare
        opening = "" if self._opens_anywhere else self._opening
        if not opening and not is_bare:
            return
        self._cursor.start_record()
        yield from self._cursor.skip_space()
        found = (yield from self._cursor.next_is(opening)) if opening else ""
        skipped = self._cursor.stop_record()
        if found:
            self._output.turn(in_reasoning=True, marker=found)
            yield from self._think()
            return
        if is_bare and self._cursor.ready.startswith("{"):
            assert self._tools is not None
            yield from self._output.read_section(self._tools, "")
        else:
            self._output.answer(skipped)

    def _think(self) -> Steps[None]:
        stops = [self._closing]
        if self._tools is not None and self._tools.ends_reasoning:
            stops += self._tool_opens
        if self._envelope and not self._has_loose_envelope:
            stops.append(self._envelope[0])
        found = yield from self._cursor.pass_until(stops, self._output.reasoning, hides=True)
        self._output.turn(in_reasoning=False, marker=found)
        if found in self._tool_opens:
            assert self._tools is not None
            yield from self._output.read_section(self._tools, found)
        elif self._has_loose_envelope:
            yield from self._cursor.skip_space()
            # Only an answer that was enveloped has an end of its envelope.
            self._has_loose_envelope = not (yield from self._cursor.next_is(self._envelope[0]))

    def _answer(self) -> Steps[None]:
        stops = [*self._tool_opens, *self._silent]
        if self._opens_anywhere:
            stops.append(self._opening)
        if not self._has_loose_envelope:
            stops += self._envelope
        found = yield from self._cursor.pass_until(stops, self._output.answer, hides=True)
        if found == self._opening and self._opens_anywhere:
            self._output.turn(in_reasoning=True, marker=found)
            yield from self._think()
        elif found in self._tool_opens:
            assert self._tools is not None
            yield from self._output.read_section(self._tools, found)
