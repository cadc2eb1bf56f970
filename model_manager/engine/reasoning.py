"""How much a model may think: limits in tokens, a nudge before the end, and the end on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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
            return self._closing
        if self._nudge is not None and n_tokens >= self._nudge.at_tokens:
            nudge, self._nudge = self._nudge, None
            return nudge.feed
        return ()
