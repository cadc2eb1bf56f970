"""What an answer consists of, and where its parsers put what they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from model_manager.engine.cursor import Broken, Cursor, EndOfText, Steps
from model_manager.engine.tool_calls import Calls
from model_manager.engine.tool_formats import ToolFormat
from model_manager.types import Tool, ToolCallDelta


@dataclass(slots=True)
class Parts:
    """What one step brought; each may be empty."""

    reasoning: str = ""
    answer: str = ""
    calls: list[ToolCallDelta] = field(default_factory=list)


class Output:
    """Takes the parts of one answer.

    Attributes:
        in_reasoning: The text that comes next belongs to the reasoning, as far as is known.
        in_head: What comes next is the head of a message, and neither reasoning nor answer.
        border: Where the marker began that ended the last reasoning, whitespace before it included.
        calls: The tool calls.
        has_tools: There is something to call.
        section: The marker that began the section of tool calls that is being read; "" outside of one.
    """

    def __init__(self, cursor: Cursor, tools: Sequence[Tool]) -> None:
        self._parts = Parts()
        self._skips_breaks = False
        self._held = ""
        self._cursor = cursor
        self.calls = Calls(tools, cursor)
        self.has_tools = bool(tools)
        self.section = ""
        self.in_reasoning = False
        self.in_head = False
        self.border = 0

    @property
    def n_held(self) -> int:
        """Characters that were read and not given out yet."""
        return len(self._held)

    def take(self) -> Parts:
        """What is new."""
        parts, self._parts = self._parts, Parts()
        parts.calls = self.calls.take()
        return parts

    def reasoning(self, text: str) -> None:
        """More of the reasoning; whitespace at its end waits for what follows."""
        self._parts.reasoning += self._trimmed(text, holds=True)

    def answer(self, text: str) -> None:
        """More of the answer; where a tool call may follow, whitespace waits."""
        self._parts.answer += self._trimmed(text, holds=self.has_tools)

    def turn(self, *, in_reasoning: bool, marker: str = "") -> None:
        """`marker` was consumed: line breaks before and behind it belong to it."""
        self.border = self._cursor.position - len(marker) - len(self._held)
        self._held = ""
        self._skips_breaks = True
        self.in_reasoning = in_reasoning

    def finish(self) -> None:
        """The model stopped: whitespace that was held back stood before nothing."""
        held, self._held = self._held, ""
        if self.in_reasoning:
            self._parts.reasoning += held
        elif not self.calls.count:
            self._parts.answer += held

    def read_section(self, tools: ToolFormat, opened: str) -> Steps[None]:
        """Read a section of tool calls whose opening marker was consumed; what is none becomes answer."""
        cursor, calls = self._cursor, self.calls
        held, self._held = self._held, ""
        n_before = calls.count
        self.section = cursor.tokens.expand(opened)
        cursor.start_record()
        try:
            yield from tools.read(cursor, calls, opened)
        except Broken:
            text = cursor.stop_record()
            calls.is_open = False
            if calls.count == n_before:
                text = held + self.section + text
            self.answer(text)
        except EndOfText:
            text = cursor.stop_record()
            if calls.count == n_before:
                rest = cursor.tokens.expand(cursor.take_span(len(cursor.ready)))
                self.answer(held + self.section + text + rest)
            raise
        else:
            cursor.stop_record()
            self._skips_breaks = True
        finally:
            self.section = ""

    def _trimmed(self, text: str, *, holds: bool) -> str:
        if self._skips_breaks:
            text = text.lstrip("\n")
            self._skips_breaks = not text
        if not holds:
            return text
        text = self._held + text
        shown = text.rstrip()
        self._held = text[len(shown) :]
        return shown
