"""What goes into the next decode call: rows of answers, their guesses, chunks of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_manager.engine.batch import Batch
from model_manager.engine.chunks import ChunkSize
from model_manager.engine.jobs import Job
from model_manager.engine.sequences import Sequences
from model_manager.engine.speculation.speculator import Speculator


@dataclass(frozen=True, slots=True)
class Share:
    """What one answer has in a batch.

    Attributes:
        n_tokens: Of those that are known.
        row: Of the last of them; the guesses follow it.
        guesses: How it may go on: a row each, so that they are checked in the same call.
    """

    job: Job
    n_tokens: int
    row: int
    guesses: list[int]


class BatchFiller:
    """Fills one batch again and again; belongs to the decode thread.

    Attributes:
        batch: The rows of the next call, after `fill`.
    """

    def __init__(
        self,
        batch: Batch,
        sequences: Sequences,
        chunks: ChunkSize,
        n_ctx_tokens: int,
        speculator: Speculator | None,
    ) -> None:
        self.batch = batch
        self._sequences = sequences
        self._chunks = chunks
        self._n_ctx_tokens = n_ctx_tokens
        self._speculator = speculator
        self._turn = 0

    def fill(self, active: Sequence[Job]) -> list[Share]:
        """One row for each answer that streams, then chunks of prompts, in turns who comes first.

        Guesses come only while no prompt is read: its rows fill the call well enough.
        """
        self.batch.clear()
        self._turn += 1
        start = self._turn % len(active)
        jobs = [*active[start:], *active[:start]]
        decoding = [job for job in jobs if job.is_decoding]
        prefilling = [job for job in jobs if not job.is_decoding and job.n_pending_tokens > 0]
        guesses = self._guess(decoding) if not prefilling else [[] for _ in decoding]
        shares = [self._add(job, 1, guessed) for job, guessed in zip(decoding, guesses, strict=True)]
        n_chunk = self._chunks.alone(jobs[0].n_pending_tokens) if len(jobs) == 1 else self._chunks.shared()
        n_left = min(n_chunk, self.batch.n_rows_left)
        for n_others, job in zip(range(len(prefilling) - 1, -1, -1), prefilling, strict=True):
            n_tokens = min(max(1, n_left // (n_others + 1)), job.n_pending_tokens)
            assert job.sequence is not None
            n_tokens = self._sequences.clip(job.sequence, n_tokens, job.n_prompt)
            shares.append(self._add(job, n_tokens, []))
            n_left -= n_tokens
        return shares

    def _guess(self, decoding: list[Job]) -> list[list[int]]:
        if self._speculator is None:
            return [[] for _ in decoding]
        n_rows_left = self.batch.n_rows_left - len(decoding)
        return self._speculator.propose(decoding, self._n_ctx_tokens, n_rows_left)

    def _add(self, job: Job, n_tokens: int, guesses: list[int]) -> Share:
        assert job.sequence is not None
        held = len(job.sequence.tokens)
        row = self.batch.add(
            job.sequence.id,
            held,
            [*job.history[held : held + n_tokens], *guesses],
            # Where the last layer sends a row is seen only with them.
            wants_logits=n_tokens == job.n_pending or (job.trace is not None and job.is_decoding),
            wants_all=bool(guesses),
        )
        return Share(job, n_tokens, row - len(guesses), guesses)
