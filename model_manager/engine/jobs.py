"""One answer on its way through the scheduler, and what its observer sees of it."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from model_manager.engine.sampling import usable_seed
from model_manager.errors import EngineError
from model_manager.types import RecordedRouting, SamplingParams, StopReason, Timings, TokenLogprobs

if TYPE_CHECKING:
    from concurrent.futures import Future

    from model_manager.engine import sequences
    from model_manager.engine.constraint import Constraint
    from model_manager.engine.live_trace import JobTrace
    from model_manager.engine.llama.sampler import Sampler
    from model_manager.engine.llama.vision import MediaChunk
    from model_manager.engine.speculation.speculator import JobSpeculation
    from model_manager.engine.state_file import Snapshot


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on sampling."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the answer after this token."""

    reason: StopReason = "stop"


@dataclass(frozen=True, slots=True)
class Feed:
    """Let these tokens follow instead of sampled ones; each of them is reported as well."""

    token_ids: tuple[int, ...]


Verdict = Continue | Stop | Feed
CONTINUE = Continue()


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended.

    Attributes:
        error: Why, where `stop_reason` is "error".
        cached_tokens: Prompt tokens that were still in the context, or in a file of it.
        completion_tokens: Tokens that were reported, those that were fed included; the model's own end is
            not.
        seed: The one that was used.
        drafted_tokens: Guesses that were checked.
        accepted_tokens: Those of them that were right, so that they are in the answer.
        routing: Where its tokens went; None where that was not noted.
    """

    stop_reason: StopReason
    error: EngineError | None
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    timings: Timings
    seed: int
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    routing: RecordedRouting | None = None


class Observer(Protocol):
    """Who listens to an answer; called on the decode thread, must return within microseconds."""

    def on_prefill(self, done_tokens: int, total_tokens: int) -> None:
        """So much of the prompt is in the context; cached tokens count as done."""

    def on_token(self, token_id: int, text: str) -> Verdict:
        """A token was chosen.

        Args:
            token_id: Which.
            text: The characters that it completed; "" inside a character and for control tokens.
        """

    def on_logprobs(self, told: TokenLogprobs) -> None:
        """How likely the token was that comes next; only where `SamplingParams.top_logprobs` is set."""

    def on_end(self, ending: Ending) -> None:
        """The last call."""


class Job:
    """Handle of a submitted answer; its other members belong to the decode thread.

    Attributes:
        history: The prompt and every token after it; what the sequence does not hold yet is still to compute.
        media: Pieces of images by the index in `history` at which their stand-ins begin.
        constraint: What its tokens must obey; None is nothing.
        sequence: Where it is computed; None while it waits.
        conversation: What it belongs to; "" for nothing.
        stored: What a file has of the prompt, being read; None where there is none.
        was_looked_up: Whether files were asked.
        speculation: Guesses how it goes on; None where there are none.
        trace: Where its tokens went so far; None where that is not noted.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        params: SamplingParams,
        observer: Observer,
        on_cancel: Callable[[], None],
        media: Mapping[int, MediaChunk] | None = None,
        constraint: Constraint | None = None,
    ) -> None:
        self.params = params
        self.observer = observer
        self.seed = usable_seed(params.seed)
        self.history = list(prompt)
        self.n_prompt = len(self.history)
        self.media = dict(media or {})
        self.constraint = constraint
        self.n_cached = 0
        self.conversation = ""
        self.stored: Future[Snapshot | None] | None = None
        self.was_looked_up = False
        self.sampler: Sampler | None = None
        self.sequence: sequences.Sequence | None = None
        self.speculation: JobSpeculation | None = None
        self.trace: JobTrace | None = None
        self.is_cancelled = False
        self.was_started = False
        self._on_cancel = on_cancel
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._submitted_at_s = time.perf_counter()
        self._started_at_s = 0.0
        self._first_token_at_s = 0.0
        self._last_token_at_s = 0.0

    def cancel(self) -> None:
        """End the answer at once, with stop reason "cancelled"; from any thread, any number of times."""
        self.is_cancelled = True
        self._on_cancel()

    @property
    def is_pinned(self) -> bool:
        """Whether a seed was given, so that the same request shall give the same text again."""
        return self.params.seed is not None and self.params.temperature > 0

    @property
    def n_completion(self) -> int:
        """Tokens after the prompt."""
        return len(self.history) - self.n_prompt

    @property
    def n_tokens_left(self) -> int | None:
        """How many more may follow; None without a limit of its own."""
        return None if self.params.max_tokens is None else self.params.max_tokens - self.n_completion

    @property
    def n_pending(self) -> int:
        """Tokens that are known and not computed."""
        return len(self.history) - (len(self.sequence.tokens) if self.sequence else 0)

    @property
    def n_pending_tokens(self) -> int:
        """Of `n_pending`, those before the next piece of an image, or before a row that is traced."""
        if self.sequence is None:
            return self.n_pending
        held = len(self.sequence.tokens)
        if self.trace is not None and self.n_completion > 0:
            return min(self.n_pending, self.n_prompt + self.trace.n_tokens - held)
        if not self.media:
            return self.n_pending
        return min((start for start in self.media if start >= held), default=len(self.history)) - held

    @property
    def is_being_read(self) -> bool:
        """Whether a file is being read for it, so that it cannot start yet."""
        return self.stored is not None and not self.stored.done() and not self.is_cancelled

    def take_stored(self) -> Snapshot | None:
        """What was read for it, once."""
        stored, self.stored = self.stored, None
        if stored is None or not stored.done() or stored.cancelled():
            return None  # one that was cancelled at this moment does not wait for it
        return stored.result()

    @property
    def is_decoding(self) -> bool:
        """Whether it needs one row a call and yields one token, so that a reader waits for it.

        An answer that is traced goes on row by row also where several tokens are known.
        """
        if self.n_completion == 0 or self.sequence is None:
            return False
        is_traced_next = (
            self.trace is not None and len(self.sequence.tokens) == self.n_prompt + self.trace.n_tokens
        )
        return self.n_pending == 1 or (is_traced_next and self.n_pending > 0)

    @property
    def needs_care(self) -> bool:
        """Whether its next token cannot be left to the sampler alone."""
        params = self.params
        return (
            (self.constraint is not None and self.constraint.holds)
            or params.top_logprobs is not None
            or params.ignore_end
            or self.n_completion < params.min_tokens
        )

    def note_start(self, n_cached: int) -> None:
        """The first time that it has a sequence."""
        if not self.was_started:
            self.was_started = True
            self.n_cached = n_cached
            self._started_at_s = time.perf_counter()

    def take(self, token_id: int, piece: bytes) -> str:
        """Append a token and return the characters that it completes."""
        self.history.append(token_id)
        if self.speculation is not None:
            self.speculation.note(token_id)
        self._last_token_at_s = time.perf_counter()
        if self.n_completion == 1:
            self._first_token_at_s = self._last_token_at_s
        return self._decoder.decode(piece)

    def ending(self, reason: StopReason, error: EngineError | None = None) -> Ending:
        """The sum of it all."""
        return Ending(
            stop_reason=reason,
            error=error,
            prompt_tokens=self.n_prompt,
            cached_tokens=self.n_cached,
            completion_tokens=self.n_completion,
            timings=self._timings(),
            seed=self.seed,
            drafted_tokens=self.speculation.n_drafted if self.speculation else 0,
            accepted_tokens=self.speculation.n_accepted if self.speculation else 0,
            routing=self.trace.recorded() if self.trace else None,
        )

    def _timings(self) -> Timings:
        if self.n_completion == 0:
            return Timings(None, None, None)
        prefill_s = self._first_token_at_s - self._started_at_s
        decode_s = self._last_token_at_s - self._first_token_at_s
        return Timings(
            ttft_ms=(self._first_token_at_s - self._submitted_at_s) * 1000,
            prefill_tokens_per_s=(self.n_prompt - self.n_cached) / prefill_s if prefill_s > 0 else None,
            decode_tokens_per_s=(self.n_completion - 1) / decode_s if decode_s > 0 else None,
        )
