"""Noting where the tokens of answers go while they are made, in the context that makes them.

Only rows of answers are traced, one for each answer and call; they come first in a batch, so they are the
first columns of what is seen, in the last layer as well, which has only rows whose logits are wanted. What
cannot be told apart for sure is given up, and the answer goes on without: then a replay tells.
Source: notes A1, traps 3 and 4
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from model_manager.engine.filling import Share
from model_manager.engine.jobs import Job
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.tracing import Seen, Tracer
from model_manager.engine.llama.vision import Vision
from model_manager.engine.prompt_cache import PromptCache
from model_manager.engine.routing import NO_EXPERT, stacked
from model_manager.engine.scheduler import Scheduler
from model_manager.errors import EngineError, TracingUnavailable
from model_manager.types import RecordedRouting, StopReason

log = logging.getLogger(__name__)


class JobTrace:
    """Where the tokens of one answer went so far. Belongs to the decode thread."""

    def __init__(self) -> None:
        self._layers: tuple[int, ...] = ()
        self._n_used: tuple[int, ...] = ()
        self._experts: list[bytes] = []
        self._weights: list[bytes] = []

    @property
    def n_tokens(self) -> int:
        """How many, from the answer's first one on."""
        return len(self._experts)

    def note(self, seen: Sequence[Seen], column: int) -> bool:
        """Append the next token; False where it is not of the form of those before."""
        layers = tuple(layer.layer for layer in seen)
        n_used = tuple(layer.n_used for layer in seen)
        if self._experts and (layers, n_used) != (self._layers, self._n_used):
            return False
        self._layers, self._n_used = layers, n_used
        self._experts.append(b"".join(layer.experts.row(column, layer.n_used) for layer in seen))
        self._weights.append(b"".join(layer.weights.row(column, layer.n_used) for layer in seen))
        return True

    def recorded(self) -> RecordedRouting | None:
        """All of it; None where there is nothing."""
        if not self._layers:
            return None
        borders = np.cumsum(self._n_used)[:-1]
        flat_ids = np.frombuffer(b"".join(self._experts), np.int32).reshape(self.n_tokens, -1)
        flat_weights = np.frombuffer(b"".join(self._weights), np.float32).reshape(self.n_tokens, -1)
        experts = stacked(np.split(flat_ids, borders, axis=1), NO_EXPERT, np.int16, self.n_tokens)
        weights = stacked(np.split(flat_weights, borders, axis=1), 0, np.float16, self.n_tokens)
        return RecordedRouting(
            layers=self._layers,
            n_tokens=self.n_tokens,
            n_ranks=experts.shape[2],
            experts=experts.astype("<i2").tobytes(),
            weights=weights.astype("<f2").tobytes(),
        )


class TracingScheduler(Scheduler):
    """Traces every answer; nothing is guessed meanwhile, as each token is to have a row of its own."""

    def __init__(
        self, context: LlamaContext, tracer: Tracer, vision: Vision | None, cache: PromptCache | None
    ) -> None:
        """Take over a context that was made with `tracer`; the rest is as for `Scheduler`."""
        super().__init__(context, vision, cache)
        self._tracer = tracer
        self._is_off = False
        self._parting: dict[Job, StopReason] = {}

    def _begin(self, job: Job) -> None:
        if job.trace is None and job.n_completion == 0 and not self._is_off:
            job.trace = JobTrace()
        super()._begin(job)

    def _decode(self, shares: Sequence[Share]) -> int:
        traced = [share for share in shares if share.job.trace is not None and share.job.is_decoding]
        self._tracer.n_columns = len(traced)
        self._tracer.is_on = bool(traced)
        code = super()._decode(shares)
        self._tracer.is_on = False
        try:
            seen = self._tracer.take().seen
        except TracingUnavailable as error:
            log.info("answers are not traced any more: %s", error.reason)
            self._is_off, seen = True, ()
        if traced and code == 0:
            self._note(traced, seen)
        return code

    def _note(self, traced: Sequence[Share], seen: Sequence[Seen]) -> None:
        is_whole = len({layer.layer for layer in seen}) == len(seen) > 0 and all(
            layer.n_columns == len(traced) for layer in seen
        )
        for column, share in enumerate(traced):
            trace = share.job.trace
            # A row elsewhere, or several calls inside of one: nobody knows whose columns these are.
            if share.row != column or not is_whole or trace is None or not trace.note(seen, column):
                share.job.trace = None

    def _choose(self, job: Job, row: int) -> None:
        reason = self._parting.pop(job, None)
        if reason is None:
            super()._choose(job, row)
        else:
            super()._finish(job, reason)

    def _finish(self, job: Job, reason: StopReason, error: EngineError | None = None) -> None:
        """The last token was chosen and never computed; its row is, before the answer ends."""
        if (
            reason in ("stop", "length")
            and job.trace is not None
            and job.sequence is not None
            and job.n_pending == 1
            and len(job.history) <= self._context.n_ctx_tokens
        ):
            self._parting[job] = reason
            return
        self._parting.pop(job, None)
        super()._finish(job, reason, error)
