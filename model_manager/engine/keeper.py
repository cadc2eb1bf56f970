"""Brings the states of conversations back from files, and puts them there while nobody waits for an answer.

Only the decode thread may touch a context. It copies a state out of it or into it, which takes milliseconds;
reading, checking, hashing and writing happen on threads of their own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import numpy as np

from model_manager.engine import prompt_cache
from model_manager.engine.jobs import Job
from model_manager.engine.prompt_cache import MIN_TOKENS, Found, PromptCache
from model_manager.engine.sequences import Memory, Sequence as Place, Sequences
from model_manager.engine.state_file import Snapshot

log = logging.getLogger(__name__)

IDLE_S: Final = 2.0
"""A sequence that was not used for so long is saved."""

CLOSING_S: Final = 2.5
"""So long may the last savings take; whoever ends a worker waits a little longer."""

_LARGEST_ON_LOSS_BYTES: Final = 128 * 1024 * 1024
_WORTHWHILE: Final = 8
_MOST_CHECKPOINTS: Final = 3


class Keeper:
    """Between the sequences of a context and the folder; belongs to the decode thread."""

    def __init__(
        self,
        memory: Memory,
        sequences: Sequences,
        cache: PromptCache,
        on_done: Callable[[], None],
        idle_s: float = IDLE_S,
    ) -> None:
        """Begin to keep what these sequences hold.

        Args:
            memory: Their context.
            sequences: All places of it.
            cache: The folder.
            on_done: Called on some other thread when a file was read or written.
            idle_s: How long a sequence must be unused before it is saved.
        """
        self._memory = memory
        self._sequences = sequences
        self._cache = cache
        self._on_done = on_done
        self._idle_s = idle_s
        self._reader = ThreadPoolExecutor(1, "prompt-cache-read")
        self._writer = ThreadPoolExecutor(1, "prompt-cache-write")
        self._writing: Future[object] | None = None
        self._forgotten: set[str] = set()
        sequences.on_loss = self._save_before_loss
        sequences.while_trying = prompt_cache.trying

    def is_ready_for(self, job: Job) -> bool:
        """Whether an answer can start; the first time, begins to read what a file has of its prompt."""
        if not job.was_looked_up:
            job.stored, job.was_looked_up = self._look_up(job.history), True
        return not job.is_being_read

    def _look_up(self, prompt: Sequence[int]) -> Future[Snapshot | None] | None:
        """None where a file would save too little to wait for."""
        found = self._cache.find(np.asarray(prompt, np.int32), self._memory.n_ctx_tokens)
        if found is None or found.n_tokens < self._sequences.n_resident(prompt) + MIN_TOKENS:
            return None
        reading = self._reader.submit(self._read, found)
        reading.add_done_callback(lambda _done: self._on_done())
        return reading

    def _read(self, found: Found) -> Snapshot | None:
        try:
            return self._cache.read(found)
        except Exception:
            # A bug of ours costs a prefill, not an answer.
            log.exception("%s could not be read", found.path.name)
            return None

    def forget(self, conversation: str) -> None:
        """Remove what is kept of a conversation, and keep nothing of it from now on; from any thread.

        What the context holds of it goes when the decode thread rests.
        """
        self._forgotten.add(conversation)
        self._writer.submit(
            prompt_cache.forget, self._cache.folder, conversation
        )  # behind what is being written
        self._on_done()

    def delay_s(self) -> float | None:
        """Seconds until something is to be saved; None while there is nothing, or a file is being written."""
        if self._writing is not None and not self._writing.done():
            return None
        if self._to_forget():
            return 0.0
        now_s = time.monotonic()
        due = [
            place.idle_since_s + self._idle_s
            for place in self._sequences.idle()
            if self._is_worthwhile(place)
        ]
        return max(0.0, min(due) - now_s) if due else None

    def rest(self) -> None:
        """Nobody waits for an answer: save the sequence that was idle for longest, if for long enough."""
        for place in self._to_forget():
            self._sequences.discard(place)
        now_s = time.monotonic()
        for place in reversed(self._sequences.idle()):
            if self._is_worthwhile(place) and now_s >= place.idle_since_s + self._idle_s:
                self._save(place)
                return

    def close(self) -> None:
        """Save what is not saved yet, and end the threads."""
        is_written = self.save_all()
        for pool in (self._reader, self._writer):
            pool.shutdown(wait=is_written, cancel_futures=True)

    def turn_to(self, cache: PromptCache) -> None:
        """From now on look here, and put things here: other states have become the right ones."""
        self._cache = cache

    def save_all(self) -> bool:
        """Save what is not saved yet, the most recently used first; False where time ran out."""
        deadline_s = time.monotonic() + CLOSING_S
        for place in self._sequences.idle():
            if self._n_new(place) < MIN_TOKENS:
                continue
            if not self._wait_for_writer(deadline_s):
                log.info("no time is left to save the other conversations")
                break
            self._save(place)
        return self._wait_for_writer(deadline_s)

    def _is_worthwhile(self, place: Place) -> bool:
        """Whether to save it while the worker goes on: not after every few words of a long conversation.

        A file is written whole, so what is written over time is at most eight times what is kept in the end.
        """
        n_new = self._n_new(place)
        return n_new >= MIN_TOKENS and n_new * _WORTHWHILE >= len(place.tokens)

    def _to_forget(self) -> list[Place]:
        return [place for place in self._sequences.idle() if place.conversation in self._forgotten]

    def _n_new(self, place: Place) -> int:
        return len(place.tokens) - place.n_kept

    def _save_before_loss(self, place: Place) -> None:
        if self._n_new(place) < MIN_TOKENS or (self._writing is not None and not self._writing.done()):
            return
        if self._memory.state_bytes(place.id) <= _LARGEST_ON_LOSS_BYTES:
            self._save(place)

    def _save(self, place: Place) -> None:
        tokens = np.asarray(place.tokens, np.int32)
        n_covered = self._cache.n_covered(tokens)
        place.n_kept = len(tokens)
        if place.conversation in self._forgotten or int(tokens.min()) < 0:
            return  # deleted; or it holds an image, whose stand-ins say nothing of positions
        if len(tokens) - n_covered < MIN_TOKENS:
            return
        snapshot = Snapshot(
            tokens=tokens,
            state=self._memory.state(place.id, partial=False),
            checkpoints=tuple(
                (n, state) for n, state in place.checkpoints.items()[-_MOST_CHECKPOINTS:] if n < len(tokens)
            ),
            conversation=place.conversation,
        )
        if snapshot.state.nbytes == 0:
            return
        self._writing = self._writer.submit(self._cache.write, snapshot)
        self._writing.add_done_callback(self._note_written)

    def _note_written(self, writing: Future[object]) -> None:
        error = writing.exception()
        if error is not None:
            log.error("a conversation could not be saved", exc_info=error)
        self._on_done()

    def _wait_for_writer(self, deadline_s: float) -> bool:
        if self._writing is None:
            return True
        try:
            self._writing.exception(timeout=max(0.0, deadline_s - time.monotonic()))
        except TimeoutError:
            return False
        return True
