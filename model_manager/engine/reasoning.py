"""How much a model may think: limits in tokens, a nudge before the end, and the end on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


class Thinker(Protocol):
    """What is needed of a parser here."""

    @property
    def in_reasoning(self) -> bool:
        """The next token belongs to the reasoning, as far as is known."""
        ...

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of reasoning so far, without markers."""
        ...


@dataclass(frozen=True, slots=True)
class Nudge:
    """A sentence that is put into the model's mouth when its budget is nearly spent.

    Attributes:
        at_tokens: Reasoning tokens after which it comes.
        feed: Its tokens.
    """

    at_tokens: int
    feed: tuple[int, ...]


class ThinkingBudget:
    """Decides when something is put into the model's mouth to end its reasoning.

    Attributes:
        is_spent: The end was fed; a second block of the same answer is ended at once.
        ended_by: Why the end was fed the last time; None while the model ends its blocks itself.
    """

    def __init__(self, tokens: int | None, closing: tuple[int, ...] = (), nudge: Nudge | None = None) -> None:
        """Set the limits.

        Args:
            tokens: The hard limit; None for none.
            closing: The tokens that end the reasoning.
            nudge: The soft limit; None for none.
        """
        self._tokens = tokens
        self._closing = closing
        self._nudge = nudge
        self._is_asked = False
        self.is_spent = False
        self.ended_by: Literal["budget", "person"] | None = None

    def conclude(self) -> None:
        """End the reasoning at the next token; from any thread."""
        self._is_asked = True

    def due(self, thinker: Thinker) -> tuple[int, ...]:
        """The tokens to feed now; mostly none. The end comes once a block, the nudge once an answer."""
        if not thinker.in_reasoning:
            self.is_spent = False
            return ()
        if self.is_spent:
            return ()
        n_tokens = thinker.reasoning_tokens
        if self._is_asked or (self._tokens is not None and n_tokens >= self._tokens):
            self.is_spent = True
            self.ended_by = "person" if self._is_asked else "budget"
            return self._closing
        if self._nudge is not None and n_tokens >= self._nudge.at_tokens:
            nudge, self._nudge = self._nudge, None
            return nudge.feed
        return ()
