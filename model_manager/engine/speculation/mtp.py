"""Guesses by layers of the model itself: multi-token prediction."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_manager.engine.batch import Batch
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.mtp import MtpContext
from model_manager.engine.speculation.proposals import Odds, Placed

_MIN_CHANCE: Final = 0.5
"""The layer's own chance of its guess, below which it stops."""


class _Track:
    """What the guessing layers hold of one sequence, and the hidden states of its last rows.

    Attributes:
        end: Positions before it are computed there.
        states: float32, (n, n_embd): of the positions from `first` on, as the model's last call left them.
    """

    def __init__(self, n_embd: int) -> None:
        self.end = 0
        self.first = 0
        self.states: NDArray[np.float32] = np.zeros((0, n_embd), np.float32)

    def state_before(self, position: int) -> NDArray[np.float32] | None:
        """Of the position before; None where it is not known (any more)."""
        i = position - 1 - self.first
        return self.states[i] if 0 <= i < len(self.states) else None


class MtpSource:
    """Reads along with every call of the model; belongs to the decode thread once it is made.

    What it does not know (a prefix that came from a file or another sequence, an image) makes its guesses
    worse or none, never the answer: that is chosen by the model alone.
    """

    def __init__(self, target: LlamaContext) -> None:
        """Prepare.

        Raises:
            LoadFailed: The file has no such layers, or they do not run.
        """
        self._target = target
        self._context = MtpContext(target)
        self._tracks = [_Track(self._context.n_embd) for _ in range(target.n_parallel)]
        self._nothing = np.zeros(self._context.n_embd, np.float32)
        self.memory = self._context.memory
        self.cost_s = 0.0
        target.on_computed = self._follow

    def new_draft(self, job: Placed) -> MtpDraft:
        """See `Source.new_draft`."""
        return MtpDraft(self, job)

    def set_threads(self, n_threads: int) -> None:
        """See `Source.set_threads`."""
        self._context.set_threads(n_threads)

    def close(self) -> None:
        """See `Source.close`."""
        self._target.on_computed = None
        self._context.close()

    def _follow(self, batch: Batch) -> None:
        """The model computed a batch: let the guessing layers see the same tokens."""
        states = self._context.target_states(batch.n_rows).copy()
        ids = batch.sequence_ids[: batch.n_rows]
        starts = [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist(), batch.n_rows]
        for start, end in itertools.pairwise(starts):
            tokens = batch.tokens[start:end].tolist()
            self._follow_sequence(int(ids[start]), int(batch.positions[start]), tokens, states[start:end])

    def _follow_sequence(
        self, sequence_id: int, position: int, tokens: list[int], states: NDArray[np.float32]
    ) -> None:
        track = self._tracks[sequence_id]
        before = track.state_before(position)
        shifted = np.vstack([self._nothing if before is None else before, states[:-1]])
        # Behind a gap everything before it is of no use: positions must follow each other.
        self._context.forget(sequence_id, position if track.end >= position else 0)
        is_done = self._context.decode(sequence_id, position, tokens, shifted, wants_logits=False)
        track.first, track.states = position, states
        track.end = position + len(tokens) if is_done else -1

    def guess(self, sequence_id: int, history: Sequence[int], n_max: int) -> list[int]:
        """At most `n_max` tokens after a history whose last token is not computed yet."""
        track = self._tracks[sequence_id]
        position = len(history) - 1
        state = track.state_before(position)
        if state is None or track.end < position:
            return []
        self._context.forget(sequence_id, position)
        track.end = position
        guesses: list[int] = []
        token_id = history[-1]
        began_s = time.perf_counter()
        while len(guesses) < n_max:
            at = position + len(guesses)
            if not self._context.decode(sequence_id, at, [token_id], state[np.newaxis], wants_logits=True):
                break
            logits = self._context.logits()
            token_id = int(logits.argmax())
            if 1.0 / np.exp(logits - logits[token_id]).sum() < _MIN_CHANCE and guesses:
                break
            guesses.append(token_id)
            state = self._context.own_state().copy()
        self._context.forget(sequence_id, position)
        if guesses:
            seconds = (time.perf_counter() - began_s) / len(guesses)
            self.cost_s += 0.2 * (min(seconds, 3 * self.cost_s) - self.cost_s) if self.cost_s else seconds
        return guesses


class MtpDraft:
    """Guesses of one answer."""

    def __init__(self, source: MtpSource, job: Placed) -> None:
        self._source = source
        self._job = job
        self._odds = Odds(0.7)

    @property
    def cost_s(self) -> float:
        """See `Draft`."""
        return self._source.cost_s

    def chance(self, history: Sequence[int]) -> float:
        """See `Draft.chance`."""
        return self._odds.chance

    def propose(self, history: Sequence[int], n_max: int) -> list[int]:
        """See `Draft.propose`."""
        if self._job.sequence is None:
            return []
        return self._source.guess(self._job.sequence.id, history, n_max)

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        """See `Draft.learn`."""
        self._odds.learn(n_drafted, n_accepted)

    def close(self) -> None:
        """See `Draft.close`; there is nothing to free."""
