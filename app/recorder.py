"""Keeps what arrives of one answer in the database, at most half a second behind."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from model_manager.types import ChatFinished, ReasoningDelta, TextDelta
from storage.errors import StorageError
from storage.records import Generation, Message, MessageStatus, PackedArray, Part, TraceKind
from storage.store import Store
from storage.thread import StorageThread

log = logging.getLogger(__name__)

FLUSH_INTERVAL_S = 0.5


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
        self._is_dirty = False
        self._first_reasoning_at: float | None = None
        self._last_reasoning_at: float | None = None
        self._is_ended = threading.Event()
        self._flusher = threading.Thread(target=self._flush_often, name=f"answer {message.id}", daemon=True)
        self._flusher.start()

    @property
    def has_text(self) -> bool:
        """Whether anything has arrived."""
        return any(self._texts.values())

    def set_engine(self, engine: str) -> None:
        """Which engine makes it; stored with the end."""
        self._generation = replace(self._generation, engine=engine)

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
            )
        parts = self._parts()

        def write(store: Store) -> Message:
            message = store.conversations.finish_answer(self._message_id, parts, generation, status)
            self._keep_traces(store, finished)
            return message

        return self._storage.call(write)

    def _keep_traces(self, store: Store, finished: ChatFinished | None) -> None:
        """What the inspector needs; an answer without it is still a whole answer."""
        if finished is None or finished.tokens is None:
            return
        traces: dict[TraceKind, Sequence[int] | PackedArray] = {
            "prompt_tokens": finished.tokens.prompt,
            "answer_tokens": finished.tokens.answer,
        }
        if (routing := finished.routing) is not None:
            traces |= {
                "expert_layers": routing.layers,
                "experts": PackedArray(routing.shape, routing.experts),
                "expert_weights": PackedArray(routing.shape, routing.weights),
            }
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
