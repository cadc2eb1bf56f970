"""Guesses by a smaller model of the same vocabulary."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.library import native_log
from model_manager.engine.llama.model import LlamaModel, context_plan
from model_manager.engine.llama.vocabulary import Vocabulary
from model_manager.engine.sequences import Sequence as Place, Sequences
from model_manager.engine.speculation.draft_plan import DRAFT_BATCH_TOKENS, draft_plan
from model_manager.engine.speculation.proposals import Odds, Placed
from model_manager.errors import DraftMismatch
from model_manager.types import LoadPlan

log = logging.getLogger(__name__)

_MIN_CHANCE: Final = 0.5
"""The draft's own chance of its guess, below which it stops: the guess costs as much and is seldom right."""

_SIZE_DIFFERENCE: Final = 128
"""Padding tokens that one of two equal vocabularies may have more.

Source: llama.cpp@0c1e57098 common/speculative.cpp, SPEC_VOCAB_MAX_SIZE_DIFFERENCE
"""


class DraftModel:
    """A smaller model that reads along; belongs to the decode thread once it is made."""

    def __init__(self, plan: LoadPlan, target: LlamaContext) -> None:
        """Load it.

        Args:
            plan: Of the model that answers; `draft_path` says which model guesses.
            target: The context that answers; this one gets as many sequences.

        Raises:
            LoadFailed: llama.cpp refused.
            DraftMismatch: It cannot guess for that model.
        """
        assert plan.draft_path is not None
        self.name = plan.draft_path.stem
        own = draft_plan(plan, target.n_ctx_tokens)
        with native_log.gathering() as lines:
            self._model = LlamaModel.load(own, lambda _permille: None)
            try:
                self._check(target)
                n_ctx = min(own.n_ctx_tokens, self._model.n_ctx_train_tokens)
                self._context = self._model.new_context(context_plan(own, n_ctx))
                if not self._context.can_cut:
                    raise DraftMismatch(target.model.name, self.name, "its memory cannot be cut")
            except BaseException:
                self._model.close()
                raise
        self.memory = self._model.note_placement(lines, 0).memory
        self.n_ctx_tokens = n_ctx
        self.n_vocab = min(self._context.vocabulary.n_tokens, target.vocabulary.n_tokens)
        self._batch = self._context.new_batch()
        self._sequences = Sequences(self._context, self._context.n_parallel)
        self._n_threads = target.n_threads_max
        self.cost_s = 0.0

    def _check(self, target: LlamaContext) -> None:
        reason = vocabulary_difference(target.vocabulary, self._model.vocabulary)
        if reason:
            raise DraftMismatch(target.model.name, self.name, reason)

    def close(self) -> None:
        """Give the memory back, when no answer is being guessed any more."""
        self._model.close()

    def set_threads(self, n_threads: int) -> None:
        """Use as many threads as the model that answers."""
        if n_threads != self._n_threads:
            self._n_threads = n_threads
            self._context.set_threads(n_threads, n_threads)

    def new_draft(self, job: Placed) -> SequenceDraft:
        """For one answer."""
        return SequenceDraft(self)

    # --- for `SequenceDraft` -----------------------------------------------------------------------------

    def acquire(self, history: Sequence[int]) -> Place | None:
        """A place that holds as much of `history` as there is; None while all are taken."""
        return self._sequences.acquire(history) if self._sequences.has_free() else None

    def release(self, place: Place) -> None:
        """An answer is over."""
        self._sequences.release(place)

    def trim(self, place: Place) -> None:
        """Drop guesses that were wrong."""
        self._sequences.trim(place)

    def compute(self, place: Place, tokens: Sequence[int]) -> bool:
        """Read tokens behind what a place holds and `n_beyond`; False where that did not work."""
        self._batch.clear()
        self._row = self._batch.add(place.id, len(place.tokens) + place.n_beyond, tokens, wants_logits=True)
        code = self._context.decode(self._batch)
        if code == 0:
            return True
        log.debug("the draft model could not read %d tokens: %d", len(tokens), code)
        if not self._sequences.evict_idle():
            self._sequences.discard(place)
            place.is_active = True
        return False

    def best(self) -> tuple[int, float]:
        """The likeliest token after the last one that was read, and its chance."""
        logits = self._context.logits(self._row)[: self.n_vocab]
        token_id = int(logits.argmax())
        return token_id, float(1.0 / np.exp(logits - logits[token_id]).sum())

    def note_cost(self, seconds: float) -> None:
        """A guess took so long."""
        self.cost_s += 0.2 * (min(seconds, 3 * self.cost_s) - self.cost_s) if self.cost_s else seconds


class SequenceDraft:
    """Guesses of one answer by a draft model.

    The guesses it has read stay in its context as `n_beyond`, and become tokens of its place when they turn
    out right: then only what the answer chose in place of the first wrong one is left to read.
    """

    def __init__(self, model: DraftModel) -> None:
        self._model = model
        self._odds = Odds(0.75)
        self._place: Place | None = None
        self._guesses: list[int] = []
        self._can_read: bool | None = None

    @property
    def cost_s(self) -> float:
        """See `Draft`."""
        return self._model.cost_s

    def chance(self, history: Sequence[int]) -> float:
        """See `Draft.chance`."""
        if self._can_read is None:
            self._can_read = min(history) >= 0  # not so where stand-ins of an image are
        return self._odds.chance if self._can_read and len(history) < self._model.n_ctx_tokens else 0.0

    def propose(self, history: Sequence[int], n_max: int) -> list[int]:
        """See `Draft.propose`; while the draft is still reading the prompt, none."""
        n_max = min(n_max, self._model.n_ctx_tokens - len(history) + 1)
        place = self._catch_up(history)
        if place is None:
            return []
        guesses: list[int] = []
        began_s = time.perf_counter()
        while True:
            token_id, chance = self._model.best()
            if chance < _MIN_CHANCE:
                break
            guesses.append(token_id)
            if len(guesses) >= n_max or not self._model.compute(place, [token_id]):
                break
            place.n_beyond += 1
        if guesses:
            self._model.note_cost((time.perf_counter() - began_s) / len(guesses))
        self._guesses = guesses
        return guesses

    def _catch_up(self, history: Sequence[int]) -> Place | None:
        """Read what is new of the history; None where it is too much for now."""
        if self._place is None:
            self._place = self._model.acquire(history)
            if self._place is None:
                return None
        place = self._place
        while place.n_beyond and len(place.tokens) < len(history) - 1:
            if self._guesses[0] != history[len(place.tokens)]:
                break
            place.tokens.append(self._guesses.pop(0))
            place.n_beyond -= 1
        if len(place.tokens) == len(history):
            place.tokens.pop()  # asked again for the same: only reading gives logits
            place.n_beyond += 1
        self._model.trim(place)
        unread = list(history[len(place.tokens) : len(place.tokens) + DRAFT_BATCH_TOKENS])
        if not self._model.compute(place, unread):
            return None
        place.tokens.extend(unread)
        return place if len(place.tokens) == len(history) else None

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        """See `Draft.learn`."""
        self._odds.learn(n_drafted, n_accepted)

    def close(self) -> None:
        """See `Draft.close`; the place stays readable for the next turn of the chat."""
        if self._place is not None:
            self._model.release(self._place)
            self._place = None


def vocabulary_difference(target: Vocabulary, draft: Vocabulary) -> str:
    """In what two vocabularies differ, so that guesses would mean something else; "" where in nothing."""
    if abs(target.n_tokens - draft.n_tokens) > _SIZE_DIFFERENCE:
        return f"{draft.n_tokens} tokens, not {target.n_tokens}"
    for token_id in range(min(target.n_tokens, draft.n_tokens)):
        ours, theirs = target.piece(token_id, special=True), draft.piece(token_id, special=True)
        if ours != theirs:
            return f"token {token_id} is {theirs!r}, not {ours!r}"
    return ""
