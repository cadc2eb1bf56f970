"""Which answers bring guesses into a decode call, and how many."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from model_manager.engine.speculation.costs import CallCosts
from model_manager.engine.speculation.lengths import Guesser, choose_lengths
from model_manager.engine.speculation.proposals import Draft, Placed
from model_manager.types import DeviceMemory

log = logging.getLogger(__name__)

_PROBE_TOKENS = 3
_FIRST_PAUSE_TOKENS = 32
_LONGEST_PAUSE_TOKENS = 512
"""A probe in vain costs about one token's time, so at this pace next to nothing."""


class Candidate(Protocol):
    """What is needed of an answer; `Job` is one."""

    @property
    def history(self) -> Sequence[int]: ...  # noqa: D102 - see Job

    @property
    def speculation(self) -> JobSpeculation | None: ...  # noqa: D102 - see Job

    @property
    def n_tokens_left(self) -> int | None: ...  # noqa: D102 - see Job


class JobSpeculation:
    """The guesses of one answer and what became of them.

    Attributes:
        draft: Where they come from.
        n_drafted: Guesses that were checked.
        n_accepted: Those that are in the answer.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.n_drafted = 0
        self.n_accepted = 0
        self._open: deque[int] = deque()
        self._n_guesses = 0
        self._n_wrong = 0
        self._n_quiet = 0
        self._pause = _FIRST_PAUSE_TOKENS
        self._is_probe = False

    def wants_probe(self) -> bool:
        """Whether it is time to see if guesses became better; called once a token that went without."""
        self._n_quiet += 1
        self._is_probe = self._n_quiet >= self._pause
        return self._is_probe

    def expect(self, guesses: Sequence[int]) -> None:
        """These are checked now."""
        self.n_drafted += len(guesses)
        self._n_guesses = len(guesses)
        self._open.extend(guesses)

    def note(self, token_id: int) -> None:
        """A token was added to the answer, guessed or not."""
        if self._open:
            if self._open.popleft() == token_id:
                self.n_accepted += 1
            else:
                self._n_wrong = 1 + len(self._open)
                self._open.clear()

    def settle(self) -> None:
        """All guesses are checked, or the answer ended before."""
        n_unseen = len(self._open)  # behind the answer's end: nothing was chosen in their place
        self._open.clear()
        n_seen = self._n_guesses - n_unseen
        n_wrong, self._n_wrong = self._n_wrong, 0
        self.draft.learn(n_seen, n_seen - n_wrong)
        if n_wrong == 0:
            self._pause = _FIRST_PAUSE_TOKENS
        elif self._is_probe:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_TOKENS)
        self._n_quiet = 0
        self._is_probe = False

    def close(self) -> None:
        """The answer is over."""
        self.draft.close()


class Source(Protocol):
    """Where the guesses of all answers come from.

    Attributes:
        memory: What it takes, a device each.
    """

    @property
    def memory(self) -> tuple[DeviceMemory, ...]: ...  # noqa: D102 - above

    def new_draft(self, job: Placed) -> Draft | None:
        """For one answer that starts; None for one without."""

    def set_threads(self, n_threads: int) -> None:
        """The model that answers now uses so many."""

    def close(self) -> None:
        """Nothing is guessed any more."""


class Speculator:
    """Decides over the guesses of each decode call; belongs to the decode thread.

    With `is_adaptive` it weighs what checking costs (measured for each number of rows) against how often
    guesses were right. An answer whose guesses are not worth it goes without and tries again after a pause,
    which doubles with every attempt in vain.
    """

    def __init__(self, source: Source, n_max: int, *, is_adaptive: bool = True) -> None:
        """Decide for one context.

        Args:
            source: Makes the guesses; closed with this.
            n_max: Most guesses of one call, over all answers.
            is_adaptive: False lets every answer bring all that it has: for tests and measurements.
        """
        self._source = source
        self._n_max = n_max
        self._is_adaptive = is_adaptive
        self._costs = CallCosts()
        self._is_paused = False

    @property
    def memory(self) -> tuple[DeviceMemory, ...]:
        """What the source takes."""
        return self._source.memory

    def begin(self, job: Placed) -> JobSpeculation | None:
        """For an answer that starts."""
        draft = self._source.new_draft(job) if self._n_max > 0 else None
        return None if draft is None else JobSpeculation(draft)

    def observe(self, n_rows: int, elapsed_s: float, n_threads: int) -> None:
        """Learn from a decode call that computed no prompt, with so many threads."""
        self._costs.observe(n_rows, elapsed_s)
        self._source.set_threads(n_threads)

    def close(self) -> None:
        """Free what the source holds; nothing is guessed any more."""
        self._n_max = 0
        self._source.close()

    def skip_once(self) -> None:
        """The next call takes no guesses: there was no room for them."""
        self._is_paused = True

    def stop(self) -> None:
        """This memory cannot drop a wrong guess after all: no more guesses."""
        log.warning("the model's memory cannot be cut; it goes on without speculation")
        self._n_max = 0

    def propose(self, jobs: Sequence[Candidate], n_ctx_tokens: int, n_rows_left: int) -> list[list[int]]:
        """Guesses for the next call.

        Args:
            jobs: Those that decode: each has one row already.
            n_ctx_tokens: No answer may grow beyond it.
            n_rows_left: Rows of the call that are free.

        Returns:
            A list for each of `jobs`, mostly empty.
        """
        nothing: list[list[int]] = [[] for _ in jobs]
        n_max = min(self._n_max, n_rows_left)
        if self._is_paused or n_max <= 0:
            self._is_paused = False
            return nothing
        guessers = [self._look_at(job, n_ctx_tokens, n_max) for job in jobs]
        if not any(guesser.n_max for guesser in guessers):
            return nothing
        lengths = self._lengths(jobs, guessers, n_max)
        return [
            job.speculation.draft.propose(job.history, length) if job.speculation and length else []
            for job, length in zip(jobs, lengths, strict=True)
        ]

    def _look_at(self, job: Candidate, n_ctx_tokens: int, n_max: int) -> Guesser:
        """What an answer could bring: no more than it may still say, one less for the token that is sure."""
        if job.speculation is None:
            return Guesser(0.0, 0)
        n_most = min(n_max, n_ctx_tokens - len(job.history))
        if job.n_tokens_left is not None:
            n_most = min(n_most, job.n_tokens_left - 1)
        if n_most <= 0:
            return Guesser(0.0, 0)
        draft = job.speculation.draft
        chance = draft.chance(job.history)
        return Guesser(chance, n_most if chance > 0 else 0, draft.cost_s)

    def _lengths(self, jobs: Sequence[Candidate], guessers: Sequence[Guesser], n_max: int) -> list[int]:
        if not self._is_adaptive:
            lengths = []
            for guesser in guessers:
                lengths.append(min(guesser.n_max, n_max))
                n_max -= lengths[-1]
            return lengths
        if self._costs.estimate_s(len(jobs)) is None:
            return [0] * len(jobs)  # nothing can be compared before the first call
        lengths = choose_lengths(guessers, len(jobs), n_max, self._call_s)
        if not any(lengths):
            for i, (job, guesser) in enumerate(zip(jobs, guessers, strict=True)):
                if guesser.n_max and job.speculation and job.speculation.wants_probe():
                    lengths[i] = min(guesser.n_max, _PROBE_TOKENS)
                    break
        return lengths

    def _call_s(self, n_rows: int) -> float:
        seconds = self._costs.estimate_s(n_rows)
        assert seconds is not None
        return seconds
