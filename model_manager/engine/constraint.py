"""What the tokens of an answer must obey, and from where on."""

from __future__ import annotations

import time
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from model_manager.errors import ConstraintFailed

MAX_STEP_S: Final = 2.0
"""Longest time for one token. A grammar that can be read in ever more ways doubles its time with each."""


class Grammar(Protocol):
    """How far a text has come in its grammar; `llama.GrammarState` is one."""

    def permits(self, token_id: int) -> bool: ...  # noqa: D102 - see GrammarState
    def refused(self) -> NDArray[np.bool_]: ...  # noqa: D102 - see GrammarState
    def accept(self, token_id: int) -> None: ...  # noqa: D102 - see GrammarState


class Constraint:
    """A grammar over a part of an answer; belongs to the decode thread.

    It is asked about the token that the model would choose anyway, which is nearly always permitted and costs
    microseconds; only where it is not, all tokens are asked for, which costs milliseconds.

    Attributes:
        holds: Whether the next token is bound by the grammar. Whoever reads the answer sets it: reasoning is
            free, the answer is not.
        passing: Tokens that may come all the same without being part of the text, as the one that opens the
            reasoning does.
    """

    def __init__(
        self,
        grammar: Grammar,
        never: NDArray[np.intp],
        *,
        holds: bool = True,
        passing: frozenset[int] = frozenset(),
    ) -> None:
        """Begin.

        Args:
            grammar: Before its first token.
            never: Tokens that are refused whatever the grammar says: it takes markers for their spelling.
            holds: See above.
            passing: See above.
        """
        self._grammar = grammar
        self._never = frozenset(never.tolist())
        self._never_ids = never
        self.holds = holds
        self.passing = passing

    def permits(self, token_id: int) -> bool:
        """Whether this token may be next."""
        if token_id in self.passing:
            return True
        return token_id not in self._never and self._grammar.permits(token_id)

    def mask(self, logits: NDArray[np.float32]) -> None:
        """Make all that may not be next impossible.

        Raises:
            ConstraintFailed: It took too long.
        """
        began_s = time.perf_counter()
        refused = self._grammar.refused()
        refused[self._never_ids] = True
        refused[list(self.passing)] = False
        logits[refused] = -np.inf
        _check_pace(began_s)

    def accept(self, token_id: int) -> None:
        """Go on by a token that `permits` has allowed.

        Raises:
            ConstraintFailed: It took too long.
        """
        if token_id not in self.passing:
            began_s = time.perf_counter()
            self._grammar.accept(token_id)
            _check_pace(began_s)


def _check_pace(began_s: float) -> None:
    if time.perf_counter() - began_s > MAX_STEP_S:
        raise ConstraintFailed("the grammar can be read in too many ways")
