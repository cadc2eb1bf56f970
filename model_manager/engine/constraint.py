"""What the tokens of an answer must obey, and from where on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from model_manager.errors import ConstraintFailed

MAX_STEP_S: Final = 2.0
"""Longest time for one token. A grammar that can be read in ever more ways doubles its time with each."""

NO_TOKENS: Final[frozenset[int]] = frozenset()


class Grammar(Protocol):
    """How far a text has come in its grammar; `llama.GrammarState` is one."""

    def permits(self, token_id: int) -> bool: ...  # noqa: D102 - see GrammarState
    def refused(self) -> NDArray[np.bool_]: ...  # noqa: D102 - see GrammarState
    def accept(self, token_id: int) -> None: ...  # noqa: D102 - see GrammarState
    def can_end(self) -> bool: ...  # noqa: D102 - see GrammarState


class Bound(Protocol):
    """A grammar that texts can begin; `llama.Grammar` is one."""

    def begin(self, text: str = "") -> Grammar: ...  # noqa: D102 - see llama.Grammar


@dataclass(frozen=True, slots=True)
class ConstraintPlan:
    """What an answer must obey.

    Attributes:
        grammar: None binds nothing but what `calls` says.
        begun: What the prompt holds already of the answer.
        openings: Tokens that begin a reasoning, if the first token may be one.
        breaks: Tokens of which one may stand between a reasoning and what is bound.
        exits: Tokens that may stand in place of all that is bound, as one does that begins a tool call:
            nothing is bound after it.
        is_call: A tool call that must be made is bound, heads of messages included, and nothing any more when
            the grammar can end. Otherwise the answer ends with its grammar.
        calls: What binds the arguments of calls, by the names of tools.
    """

    grammar: Bound | None = None
    begun: str = ""
    openings: frozenset[int] = NO_TOKENS
    breaks: frozenset[int] = NO_TOKENS
    exits: frozenset[int] = NO_TOKENS
    is_call: bool = False
    calls: Mapping[str, Bound] = field(default_factory=dict)

    def begin(self, *, is_free: bool) -> Constraint:
        """The constraint of one answer; `is_free` where its first token belongs to a part that is.

        Raises:
            GrammarRefused: What the prompt holds of it does not obey.
        """
        grammar = None if self.grammar is None else self.grammar.begin(self.begun)
        return Constraint(
            grammar,
            holds=not is_free,
            openings=self.openings,
            breaks=self.breaks,
            exits=self.exits,
            releases=self.is_call,
        )


class Constraint:
    """A grammar over the answer proper: what is reasoned before is free. Belongs to the decode thread.

    It is asked about the token that the model would choose anyway, which is nearly always permitted and costs
    microseconds; only where it is not, all tokens are asked for, which costs milliseconds. It hears only of
    tokens that were chosen: those that are fed, as the end of a reasoning is, pass it by.

    Attributes:
        holds: Whether the next token is bound by the grammar.
    """

    def __init__(
        self,
        grammar: Grammar | None = None,
        *,
        holds: bool = True,
        openings: frozenset[int] = NO_TOKENS,
        breaks: frozenset[int] = NO_TOKENS,
        exits: frozenset[int] = NO_TOKENS,
        releases: bool = False,
    ) -> None:
        """Begin; `ConstraintPlan.begin` does.

        Args:
            grammar: Before its first token; None binds nothing until `bind`.
            holds: False where the answer begins inside its reasoning.
            openings: See `ConstraintPlan`.
            breaks: See there.
            exits: See there.
            releases: Nothing is bound any more when the grammar can end.
        """
        self._grammar = grammar
        self._passing = openings | exits
        self._breaks = breaks
        self._exits = exits
        self._releases = releases
        self._is_pinned = False
        self.holds = holds and grammar is not None

    def follow(self, *, is_free: bool) -> None:
        """Note, after each token, whether the next one belongs to a part that is free."""
        if self.holds is is_free and self._grammar is not None and not self._is_pinned:
            self.holds = not is_free
            self._passing = NO_TOKENS if is_free else self._breaks | self._exits

    def bind(self, grammar: Grammar) -> None:
        """Bind what follows until it can end, and nothing after that."""
        self._grammar, self._passing = grammar, NO_TOKENS
        self._releases = self._is_pinned = self.holds = True

    def permits(self, token_id: int) -> bool:
        """Whether this token may be next."""
        assert self._grammar is not None
        return token_id in self._passing or self._grammar.permits(token_id)

    def mask(self, logits: NDArray[np.float32]) -> None:
        """Make all that may not be next impossible.

        Raises:
            ConstraintFailed: It took too long.
        """
        assert self._grammar is not None
        began_s = time.perf_counter()
        refused = self._grammar.refused()
        refused[list(self._passing)] = False
        logits[refused] = -np.inf
        _check_pace(began_s)

    def accept(self, token_id: int) -> None:
        """Go on by a token that `permits` has allowed.

        Raises:
            ConstraintFailed: It took too long.
        """
        assert self._grammar is not None
        passing, self._passing = self._passing, NO_TOKENS
        if token_id in self._exits and token_id in passing:
            self._release()
        elif token_id not in passing:
            began_s = time.perf_counter()
            self._grammar.accept(token_id)
            _check_pace(began_s)
            if self._releases and self._grammar.can_end():
                self._release()

    def _release(self) -> None:
        self._grammar, self.holds, self._is_pinned = None, False, False


def _check_pace(began_s: float) -> None:
    if time.perf_counter() - began_s > MAX_STEP_S:
        raise ConstraintFailed("the grammar can be read in too many ways")
