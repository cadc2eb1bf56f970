"""Keeps what arrives of one answer in the database, at most half a second behind."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.energy import EnergyMeter
from app.nvml import nvml
from model_manager.types import (
    IMPOSSIBLE_LOGPROB,
    ChatFinished,
    Likelihood,
    ReasoningDelta,
    TextDelta,
    TokenLogprobs,
)
from storage.errors import StorageError
from storage.records import Generation, Message, MessageStatus, PackedArray, Part, TraceKind
from storage.store import Store
from storage.thread import StorageThread

log = logging.getLogger(__name__)

FLUSH_INTERVAL_S = 0.5
_NOTHING = Likelihood(-1, b"", IMPOSSIBLE_LOGPROB)


class Recorder:
    """The row of one streaming answer.

    The answer's thread calls; a thread of its own flushes, also while no more tokens arrive.
    """

    def __init__(self, storage: StorageThread, message: Message, generation: Generation) -> None:
        self._storage = storage
        self._message_id = message.id
        self._generation = generation
        self._lock = threading.Lock()
        self._texts: dict[str, list[str]] = {"reasoning": [], "text": []}
        self._logprobs: list[TokenLogprobs] = []
        self._is_dirty = False
        self._energy = EnergyMeter(cards=nvml())
        self._first_reasoning_at: float | None = None
        self._last_reasoning_at: float | None = None
        self._is_ended = threading.Event()
        self._flusher = threading.Thread(target=self._flush_often, name=f"answer {message.id}", daemon=True)
        self._flusher.start()

    @property
    def has_text(self) -> bool:
        """Whether anything has arrived."""
        return any(self._texts.values())

    def set_engine(
        self,
        engine: str,
        load_plan: Mapping[str, Any] | None = None,
        template_sha256: str = "",
        effort: str | None = None,
    ) -> None:
        """Which engine makes it, how it was loaded, by which template it is asked; stored with the end."""
        self._generation = replace(
            self._generation,
            engine=engine,
            load_plan=load_plan,
            template_sha256=template_sha256 or None,
            effort=effort,
        )

    def add_logprobs(self, told: TokenLogprobs) -> None:
        """How likely the next token of the answer was."""
        self._logprobs.append(told)

    def add(self, delta: ReasoningDelta | TextDelta) -> None:
        """More of the reasoning or of the answer."""
        is_reasoning = isinstance(delta, ReasoningDelta)
        with self._lock:
            if is_reasoning:
                self._last_reasoning_at = time.monotonic()
                self._first_reasoning_at = self._first_reasoning_at or self._last_reasoning_at
            self._texts["reasoning" if is_reasoning else "text"].append(delta.text)
            self._is_dirty = True

    def finish(
        self,
        status: MessageStatus,
        finished: ChatFinished | None,
        stop_reason: str,
        error: Exception | None = None,
    ) -> Message:
        """Commit the whole answer for good.

        Raises:
            StorageError: It could not be written; what was flushed before is there.
        """
        self._end_flushing()
        generation = replace(
            self._generation,
            stop_reason=stop_reason,
            error=None if error is None else f"{type(error).__name__}: {error}",
            reasoning_ms=self._reasoning_ms(),
            energy_j=self._energy.joules(),
        )
        if finished is not None:
            generation = replace(
                generation,
                parameters={**generation.parameters, "seed": finished.seed},
                prompt_tokens=finished.usage.prompt_tokens,
                cached_tokens=finished.usage.cached_tokens,
                completion_tokens=finished.usage.completion_tokens,
                reasoning_tokens=finished.usage.reasoning_tokens,
                ttft_ms=finished.timings.ttft_ms,
                prefill_tokens_per_s=finished.timings.prefill_tokens_per_s,
                decode_tokens_per_s=finished.timings.decode_tokens_per_s,
                thinking_ended_by=finished.reasoning_ended_by,
            )
        parts = self._parts()

        def write(store: Store) -> Message:
            message = store.conversations.finish_answer(self._message_id, parts, generation, status)
            self._keep_traces(store, finished)
            return message

        return self._storage.call(write)

    def _keep_traces(self, store: Store, finished: ChatFinished | None) -> None:
        """What the inspector needs; an answer without it is still a whole answer."""
        traces = likelihoods(self._logprobs)
        if finished is not None and finished.tokens is not None:
            traces |= {"prompt_tokens": finished.tokens.prompt, "answer_tokens": finished.tokens.answer}
        if finished is not None and (routing := finished.routing) is not None:
            traces |= {
                "expert_layers": routing.layers,
                "experts": PackedArray(routing.shape, routing.experts),
                "expert_weights": PackedArray(routing.shape, routing.weights),
            }
        if not traces:
            return
        try:
            store.traces.put(self._message_id, traces)
        except (StorageError, ValueError) as error:
            log.info("could not keep the tokens of answer %d: %s", self._message_id, error)

    def _end_flushing(self) -> None:
        self._is_ended.set()
        self._flusher.join()

    def _reasoning_ms(self) -> float | None:
        if self._first_reasoning_at is None or self._last_reasoning_at is None:
            return None
        return (self._last_reasoning_at - self._first_reasoning_at) * 1000

    def _parts(self) -> tuple[Part, ...]:
        parts = []
        for kind in ("reasoning", "text"):
            pieces = self._texts[kind]
            if pieces:
                # Joined in place, so that a long answer is not joined anew from all its tokens each time.
                pieces[:] = ["".join(pieces)]
                parts.append(Part(kind, pieces[0]))
        return tuple(parts)

    def _flush_often(self) -> None:
        while not self._is_ended.wait(FLUSH_INTERVAL_S):
            with self._lock:
                if not self._is_dirty:
                    continue
                self._is_dirty = False
                parts = self._parts()
            try:
                self._flush(parts)
            except StorageError as error:
                # A full disk may have room again by the next flush; the end of the answer will tell.
                log.info("could not flush answer %d: %s", self._message_id, error)
                with self._lock:
                    self._is_dirty = True

    def _flush(self, parts: tuple[Part, ...]) -> None:
        self._storage.call(lambda store: store.conversations.flush_answer(self._message_id, parts))


def likelihoods(told: Sequence[TokenLogprobs]) -> dict[TraceKind, Any]:
    """The arrays of what was told of an answer's tokens; none where nothing was.

    A place with fewer alternatives than others is filled up with token -1 and the likelihood of nothing.
    """
    if not told:
        return {}
    traces: dict[TraceKind, Any] = {"logprobs": [one.chosen.logprob for one in told]}
    n_top = max(len(one.top) for one in told)
    if n_top:
        rows = [[*one.top, *[_NOTHING] * (n_top - len(one.top))] for one in told]
        traces["top_tokens"] = [[likelihood.token_id for likelihood in row] for row in rows]
        traces["top_logprobs"] = [[likelihood.logprob for likelihood in row] for row in rows]
    return traces
