"""The loop that computes all answers of one model together.

Each turn: take what was submitted or cancelled, give waiting answers a sequence, put one row for every answer
that streams into a batch and a chunk of every prompt behind them, decode, choose the next tokens, report. One
thread, one context, up to `n_parallel` answers; more of them wait in the order of their arrival.
Source: design 4.1
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from model_manager.engine.between import Between
from model_manager.engine.choosing import choose
from model_manager.engine.chunks import ChunkSize
from model_manager.engine.constraint import Constraint
from model_manager.engine.filling import BatchFiller, Share
from model_manager.engine.jobs import CONTINUE, Continue, Ending, Feed, Job, Observer, Stop, Verdict
from model_manager.engine.keeper import IDLE_S, Keeper
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.vision import MediaChunk, Vision
from model_manager.engine.prompt_cache import PromptCache
from model_manager.engine.sampling import history_tokens, is_plain_greedy, stages
from model_manager.engine.sequences import Sequences
from model_manager.engine.speculation.speculator import Speculator
from model_manager.engine.threads import ThreadController
from model_manager.errors import ConstraintFailed, DecodeFailed, EmptyPrompt, EngineError, PromptTooLong
from model_manager.types import SamplingParams, StopReason

__all__ = ["CONTINUE", "Continue", "Ending", "Feed", "Job", "Observer", "Scheduler", "Stop", "Verdict"]

log = logging.getLogger(__name__)

_NO_ROOM, _ABORTED = 1, 2


class Scheduler:
    """Owns the decode thread of a context, which must not be used elsewhere while it runs.

    Attributes:
        keeper: Keeps conversations in files; None without a cache.
    """

    def __init__(
        self,
        context: LlamaContext,
        vision: Vision | None = None,
        cache: PromptCache | None = None,
        idle_save_s: float = IDLE_S,
        speculator: Speculator | None = None,
    ) -> None:
        """Take over a context; without `cache` nothing outlives it, without `speculator` none is guessed."""
        self._context = context
        self._vision = vision
        self._vocabulary = context.vocabulary
        self._batch = context.new_batch()
        self._sequences = Sequences(context, context.n_parallel)
        self._chunks = ChunkSize(context.n_batch_tokens)
        self._threads = ThreadController(context.n_threads_max)
        self._speculator = speculator
        self._filler = BatchFiller(
            self._batch, self._sequences, self._chunks, context.n_ctx_tokens, speculator
        )
        self._waiting: deque[Job] = deque()
        self._active: list[Job] = []
        self._lock = threading.Condition()
        self._submitted: deque[Job] = deque()
        self._in_batch: tuple[Job, ...] = ()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self.keeper = (
            Keeper(context, self._sequences, cache, self._look_again, idle_save_s) if cache else None
        )
        self.between = Between(self._look_again)  # for what must not happen while an answer runs

    # --- any thread --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(
        self,
        prompt_tokens: Sequence[int],
        sampling: SamplingParams,
        observer: Observer,
        media: Mapping[int, MediaChunk] | None = None,
        constraint: Constraint | None = None,
        conversation: str = "",
    ) -> Job:
        """Queue an answer; raises nothing, problems arrive by `observer.on_end`.

        Args:
            prompt_tokens: The prompt; an image's positions are held by its stand-ins.
            sampling: How to choose.
            observer: Told of everything.
            media: Pieces of images by the index at which their stand-ins begin.
            constraint: What the tokens must obey; belongs to the decode thread from now on.
            conversation: By which what is kept of it can be forgotten.
        """
        job = Job(prompt_tokens, sampling, observer, self._look_again, media, constraint)
        job.conversation = conversation
        with self._lock:
            self._submitted.append(job)
            self._lock.notify()
        return job

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._active or self._waiting or self._submitted)

    def close(self) -> None:
        """Cancel every answer, save conversations, end the thread; the context is free afterwards."""
        with self._lock:
            self._is_closing = True
            self._context.abort()
            self._lock.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _look_again(self) -> None:
        with self._lock:
            self._abort_if_unwanted()
            self._lock.notify()

    def _abort_if_unwanted(self) -> None:
        """Break off the running decode call if nobody wants any of its rows."""
        if self._in_batch and all(job.is_cancelled for job in self._in_batch):
            self._context.abort()

    # --- the decode thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                self._drop_cancelled()
                if not self.between.is_wanted:
                    self._admit()
                elif not self._active:
                    self.between.do()
                if self._active:
                    self._step()
                elif self.keeper is not None and not self._waiting:
                    self.keeper.rest()
            except Exception:
                # A bug of ours must not leave readers waiting for ever.
                log.exception("the decode loop failed")
                for job in list(self._active):
                    self._finish(job, "error", DecodeFailed(0))
        for job in [*self._active, *self._waiting, *self._submitted]:
            self._finish(job, "cancelled")
        self.between.close()
        if self.keeper is not None:
            self.keeper.close()

    def start_over(self) -> None:
        """Forget what was computed or read: what it depends on has changed. For `between` alone."""
        self._sequences.forget_idle()
        for job in (*self._waiting, *self._submitted):
            job.stored, job.was_looked_up = None, False

    def _wait_for_work(self) -> bool:
        """Take what was submitted; sleep while there is nothing to do. False when closing."""
        with self._lock:
            while not self._has_work():
                if not self._lock.wait(self.keeper.delay_s() if self.keeper else None):
                    break  # nobody wants anything, so what is idle can be saved
            self._waiting.extend(self._submitted)
            self._submitted.clear()
            return not self._is_closing

    def _has_work(self) -> bool:
        can_begin = bool(self._waiting) and not self._waiting[0].is_being_read
        return bool(
            can_begin or self.between.is_wanted or self._is_closing or self._submitted or self._active
        )

    def _drop_cancelled(self) -> None:
        for job in [j for j in (*self._active, *self._waiting) if j.is_cancelled]:
            self._finish(job, "cancelled")

    def _admit(self) -> None:
        while self._waiting and self._sequences.has_free():
            job = self._waiting[0]
            if error := self._problem(job):
                self._finish(job, "error", error)
                continue
            needed = self._sequences.n_tokens_active + len(job.history) + 1
            if self._active and needed > self._context.n_ctx_tokens:
                return  # it would only push others out; the order of arrival is kept
            if self.keeper is not None and not self.keeper.is_ready_for(job):
                return  # others stream meanwhile
            self._waiting.popleft()
            self._begin(job)

    def _problem(self, job: Job) -> EngineError | None:
        if job.n_prompt == 0:
            return EmptyPrompt()
        if job.n_prompt >= self._context.n_ctx_tokens:
            return PromptTooLong(job.n_prompt, self._context.n_ctx_tokens)
        return None

    def _begin(self, job: Job) -> None:
        self._active.append(job)
        job.sequence = self._sequences.acquire(job.history, job.take_stored(), job.conversation)
        job.note_start(len(job.sequence.tokens))
        if job.speculation is None and self._speculator and not job.is_pinned:
            job.speculation = self._speculator.begin(job)
        if job.sampler is None and not is_plain_greedy(job.params):
            job.sampler = self._context.new_sampler(stages(job.params, job.seed))
            for token_id in job.history[-history_tokens(job.params) :]:
                if token_id >= 0:  # not the stand-in of an image
                    job.sampler.accept(token_id)
        self._report_prefill(job)

    def _step(self) -> None:
        any(self._see(job) for job in list(self._active))  # one image a turn: others stream meanwhile
        shares = self._filler.fill(self._active)
        if not shares:
            return
        n_prefill = sum(share.n_tokens for share in shares if not share.job.is_decoding)
        began_s = time.perf_counter()
        code = self._decode(shares)
        elapsed_s = time.perf_counter() - began_s
        if code == 0:
            if n_prefill:
                self._chunks.observe(n_prefill, elapsed_s, alone=len(shares) == 1)
            else:
                if self._speculator is not None:
                    self._speculator.observe(self._batch.n_rows, elapsed_s, self._threads.n_threads)
                self._threads.adjust(self._batch.n_rows, elapsed_s, self._context.set_threads)
            self._collect(shares)
        elif code == _NO_ROOM:
            self._make_room(shares)
        elif code == _ABORTED:
            for sequence in [share.job.sequence for share in shares if share.job.sequence]:
                self._sequences.sync(sequence)
        else:
            for share in shares:
                self._finish(share.job, "error", DecodeFailed(code))

    def _decode(self, shares: Sequence[Share]) -> int:
        with self._computing(share.job for share in shares):
            return self._context.decode(self._batch)

    @contextlib.contextmanager
    def _computing(self, jobs: Iterable[Job]) -> Iterator[None]:
        """While inside, the call is broken off when none of `jobs` is wanted any more."""
        with self._lock:
            self._in_batch = tuple(jobs)
            self._context.abort(self._is_closing)
            self._abort_if_unwanted()
        yield
        with self._lock:
            self._in_batch = ()

    def _see(self, job: Job) -> bool:
        """Compute the piece of an image that comes next in a prompt, if one does."""
        assert job.sequence is not None
        held = len(job.sequence.tokens)
        chunk = job.media.get(held)
        if chunk is None:
            return False
        assert self._vision is not None
        with self._computing((job,)):
            code = self._vision.evaluate(self._context, chunk, held, job.sequence.id)
        if code == 0:
            job.sequence.tokens.extend(chunk.stand_ins)
            self._report_prefill(job)
            return True
        self._sequences.sync(job.sequence)
        if not (job.is_cancelled or self._is_closing or self._sequences.evict_idle()):
            self._finish(job, "error", DecodeFailed(code))
        return True

    def _collect(self, shares: list[Share]) -> None:
        """Note what was computed; choose and report a token wherever all that was known is computed."""
        for share in shares:
            job = share.job
            assert job.sequence is not None
            held = len(job.sequence.tokens)
            job.sequence.tokens.extend(job.history[held : held + share.n_tokens])
            self._sequences.note_computed(job.sequence, held, job.n_prompt)
            self._report_prefill(job)
            if share.guesses:
                self._check(job, share)
            elif job.n_pending == 0:
                self._choose(job, share.row)

    def _check(self, job: Job, share: Share) -> None:
        """Choose a token after each guess that was right, and drop the rest.

        Each token is chosen just as it would be without guesses, from the same logits but for rounding, so
        the guesses change when tokens come and not which.
        """
        sequence, speculation = job.sequence, job.speculation
        assert sequence is not None
        assert speculation is not None
        assert self._speculator is not None
        speculation.expect(share.guesses)
        row, sequence.n_beyond = share.row, len(share.guesses)
        while job.n_pending == 0 and not job.is_cancelled:
            self._choose(job, row)
            if job.sequence is not sequence:
                break  # the answer is over, and its cells were trimmed
            while sequence.n_beyond and job.n_pending:
                following = job.history[len(sequence.tokens)]
                if following != share.guesses[-sequence.n_beyond]:
                    break
                sequence.tokens.append(following)
                sequence.n_beyond -= 1
                row += 1
        speculation.settle()
        if not self._sequences.trim(sequence):
            self._speculator.stop()

    def _choose(self, job: Job, row: int) -> None:
        try:
            token_id, logit, told = choose(job, self._context, row)
        except ConstraintFailed as error:
            self._finish(job, "error", error)
            return
        if told is not None:
            job.observer.on_logprobs(told)
        if math.isnan(logit):
            self._finish(job, "error", DecodeFailed(0))
            return
        if self._vocabulary.is_end(token_id):
            self._finish(job, "stop")
        else:
            self._deliver(job, token_id)

    def _deliver(self, job: Job, token_id: int) -> None:
        """Report a chosen token and those that its observer wants to follow."""
        tokens = deque([token_id])
        while tokens:
            token_id = tokens.popleft()
            text = job.take(token_id, self._vocabulary.piece(token_id))
            verdict = job.observer.on_token(token_id, text)
            if isinstance(verdict, Stop):
                self._finish(job, verdict.reason)
                return
            if isinstance(verdict, Feed):
                tokens.extend(verdict.token_ids)
                if job.sampler:
                    for fed_id in verdict.token_ids:
                        job.sampler.accept(fed_id)
            if job.n_completion == job.params.max_tokens:
                self._finish(job, "length")
                return
            if len(job.history) > self._context.n_ctx_tokens:
                self._finish(job, "context_full")
                return

    def _make_room(self, shares: list[Share]) -> None:
        """The context was full and nothing changed: free cells, so that the next turn tries again."""
        if self._speculator is not None and any(share.guesses for share in shares):
            self._speculator.skip_once()
            return
        if self._sequences.evict_idle():
            return
        if len(self._active) > 1:
            # The newest gives way. It keeps its tokens and its sampler, and is computed again when others
            # ended.
            job = self._active.pop()
            assert job.sequence is not None
            self._sequences.discard(job.sequence)
            job.sequence = None
            self._waiting.appendleft(job)
        else:
            self._finish(shares[0].job, "context_full")

    def _report_prefill(self, job: Job) -> None:
        if job.sequence and job.n_completion == 0:
            job.observer.on_prefill(len(job.sequence.tokens), job.n_prompt)

    def _finish(self, job: Job, reason: StopReason, error: EngineError | None = None) -> None:
        if job in self._active:
            self._active.remove(job)
        elif job in self._waiting:
            self._waiting.remove(job)
        if job.sequence:
            if error:
                self._sequences.discard(job.sequence)
            else:
                self._sequences.release(job.sequence)
            job.sequence = None
        if job.sampler:
            job.sampler.close()
            job.sampler = None
        if job.speculation:
            job.speculation.close()
        job.observer.on_end(job.ending(reason, error))
