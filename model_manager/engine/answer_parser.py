r"""Splits what a model writes into reasoning, answer and tool calls while it is written.

    tokens   "<think>" "\n" "Two" " plus" ... "</think>" "\n\n" "Four"
    parts     -         -   reasoning  ...      -          -      answer

Where a marker is a token of the vocabulary, its id is what counts, and the same characters spelled out are
text. Where it is not, the text is searched, and only what could be the beginning of a marker is held back; a
spelled-out opening marker counts only at the very beginning of an answer, so that an answer may write about
`<think>`. Line breaks beside a marker belong to it.

A tool call that is not one (broken, or of a tool that was not offered) is text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from model_manager.engine import channels
from model_manager.engine.answer_parts import Output, Parts
from model_manager.engine.blocks import Blocks, Start
from model_manager.engine.cursor import Cursor, EndOfText, Steps
from model_manager.engine.dialects import PLAIN, Dialect
from model_manager.types import Tool

__all__ = ["AnswerParser", "Parts", "Start"]


class AnswerParser:
    """Reads one answer, token by token; used on one thread."""

    def __init__(
        self, dialect: Dialect = PLAIN, *, start: Start = "turn", tools: Sequence[Tool] = ()
    ) -> None:
        """Begin.

        Args:
            dialect: How the model writes.
            start: Where the prompt leaves off.
            tools: What may be called; without any, the notation of tool calls is text.
        """
        self._cursor = Cursor(dialect.tokens)
        self._output = Output(self._cursor, tools)
        self._is_plain = dialect.family.style == "blocks" and not dialect.family.markers
        self._steps = self._parse(dialect, start)
        # Where the tokens began that were counted as reasoning and may still turn out to be of a marker.
        self._starts: deque[int] = deque()
        self._reasoning_tokens = 0
        next(self._steps)

    @property
    def in_reasoning(self) -> bool:
        """The next token belongs to the reasoning, as far as is known."""
        return self._output.in_reasoning

    @property
    def is_free(self) -> bool:
        """The next token belongs to the reasoning, or to the head of a message, and so not to the answer."""
        return self._output.in_reasoning or self._output.in_head

    @property
    def section(self) -> str:
        """The marker that began the section of tool calls that is being written; "" outside of one."""
        return self._output.section

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of reasoning so far, without markers."""
        return self._reasoning_tokens

    @property
    def n_calls(self) -> int:
        """Tool calls that were begun."""
        return self._output.calls.count

    @property
    def n_complete_calls(self) -> int:
        """Tool calls that have ended."""
        return self._output.calls.count - self._output.calls.is_open

    def take_arguments(self) -> str:
        """What is written of the arguments of the call that has just begun, as the model writes it."""
        return self._cursor.take_marked()

    def feed(self, token_id: int, text: str) -> Parts:
        """Take the next token.

        Args:
            token_id: Decides where a marker is one token.
            text: What became readable with it; may be empty.
        """
        if self._is_plain:
            return Parts(answer=text)
        was_inside, start = self._output.in_reasoning, self._cursor.end
        is_marker = self._cursor.write(token_id, text)
        if text or is_marker:
            next(self._steps)
        if was_inside:
            self._count(start, is_marker=is_marker)
        return self._output.take()

    def finish(self) -> Parts:
        """What was still held back when the model stopped."""
        self._cursor.is_over = True
        next(self._steps)
        self._output.finish()
        return self._output.take()

    def _count(self, start: int, *, is_marker: bool) -> None:
        if not is_marker:
            self._reasoning_tokens += 1
            self._starts.append(start)
        if not self._output.in_reasoning:
            # Those that began inside the closing marker, or behind it, were none.
            self._reasoning_tokens -= sum(start >= self._output.border for start in self._starts)
            self._starts.clear()
        while self._starts and self._starts[0] < self._cursor.position - self._output.n_held:
            self._starts.popleft()

    def _parse(self, dialect: Dialect, start: Start) -> Steps[None]:
        try:
            if dialect.family.style == "blocks":
                yield from Blocks(dialect, self._cursor, self._output).read(start)
            else:
                yield from channels.read(dialect.family, self._cursor, self._output, start)
        except EndOfText:
            pass
        while True:
            yield
