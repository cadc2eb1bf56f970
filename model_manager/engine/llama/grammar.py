"""Native grammars: which tokens may follow in a text that must obey one.

llama.cpp throws through its C interface when a token is accepted that the grammar does not allow, which ends
the process. So a grammar stands apart from the chain of samplers, sees only tokens that were asked for
first, and never those that a prompt or a thinking budget puts into the model's mouth.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import numpy as np
from llama_cpp import llama_cpp as native
from numpy.typing import NDArray

from model_manager.engine.llama.candidates import CANDIDATE, apply
from model_manager.engine.llama.vocabulary import Vocabulary
from model_manager.errors import GrammarRefused


class Grammar:
    """A grammar that was read; any thread may use it for as long as the vocabulary lives."""

    def __init__(self, vocabulary: Vocabulary, text: str, markers: Sequence[str] = ()) -> None:
        """Read a grammar.

        Args:
            vocabulary: Whose tokens are asked about.
            text: GBNF whose start is the rule `root`, looked over by `gbnf.check` before.
            markers: What in it may stand for control tokens. No other ones may occur: "any character" would
                allow their spelling, too.

        Raises:
            GrammarRefused: llama.cpp cannot read it.
        """
        self.vocabulary = vocabulary
        meant = {token for marker in markers for token in vocabulary.tokenize(marker, special=True)}
        self.never = np.array([t for t in vocabulary.control_ids.tolist() if t not in meant], np.intp)
        self._handle = native.llama_sampler_init_grammar(vocabulary.handle, text.encode(), b"root")
        if not self._handle:
            raise GrammarRefused("a rule begins with itself, or something is repeated too often")
        weakref.finalize(self, native.llama_sampler_free, self._handle).atexit = False

    def begin(self, text: str = "") -> GrammarState:
        """The grammar before the first token, or behind a text.

        Raises:
            GrammarRefused: The text does not obey it.
        """
        state = GrammarState(self, native.llama_sampler_clone(self._handle))
        try:
            tokens = self.vocabulary.spell(text)
        except ValueError as error:
            raise GrammarRefused(str(error)) from error
        for token_id in tokens:
            if not state.permits(token_id):
                raise GrammarRefused("what was begun does not obey it")
            state.accept(token_id)
        return state


class GrammarState:
    """A grammar as far as one text has come; belongs to one answer and to the decode thread."""

    def __init__(self, grammar: Grammar, handle: object) -> None:
        self._grammar = grammar  # the clone shares nothing with it, but both need the vocabulary
        self._handle = handle
        self._never = frozenset(grammar.never.tolist())
        self._one = np.zeros(1, CANDIDATE)
        self._all: NDArray[np.void] | None = None
        weakref.finalize(self, native.llama_sampler_free, handle).atexit = False

    def permits(self, token_id: int) -> bool:
        """Whether this token may be next; one that ends the text may when the grammar can end here."""
        if token_id in self._never:
            return False
        self._one[0] = (token_id, 0.0, 0.0)
        apply(self._handle, self._one)
        return bool(np.isfinite(self._one["logit"][0]))

    def can_end(self) -> bool:
        """Whether the text obeys the grammar if it ends here."""
        ends = self._grammar.vocabulary.end_ids
        return len(ends) > 0 and self.permits(int(ends[0]))

    def refused(self) -> NDArray[np.bool_]:
        """bool, (n_vocab,): the tokens that may not be next."""
        if self._all is None:
            self._all = np.zeros(self._grammar.vocabulary.n_tokens, CANDIDATE)
            self._all["id"] = np.arange(len(self._all))
        self._all["logit"] = 0.0
        apply(self._handle, self._all)
        refused = np.isneginf(self._all["logit"])
        refused[self._grammar.never] = True
        return refused

    def accept(self, token_id: int) -> None:
        """Go on by a token that `permits` has allowed; any other one ends the process."""
        native.llama_sampler_accept(self._handle, token_id)
