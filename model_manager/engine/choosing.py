"""Choosing a token, also where more counts than the model's wish: a grammar, a least length, a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model_manager.engine.logprobs import logprobs_of
from model_manager.errors import ConstraintFailed

if TYPE_CHECKING:
    from model_manager.engine.jobs import Job
    from model_manager.engine.llama.context import LlamaContext
    from model_manager.engine.llama.vocabulary import Vocabulary
    from model_manager.types import TokenLogprobs


def choose(job: Job, context: LlamaContext, row: int) -> tuple[int, float, TokenLogprobs | None]:
    """Choose the token after a row of the last batch; returns and raises what `choose_closely` does."""
    if job.needs_care:
        return choose_closely(job, context.logits(row), context.vocabulary)
    if job.sampler is not None and job.n_completion > 0:
        # A model whose numbers were good and then are not has none that are: the chosen one tells.
        token_id = job.sampler.sample(row)
        return token_id, context.logit(row, token_id), None
    logits = context.logits(row)
    best = int(logits.argmax())
    logit = float(logits[best])  # argmax finds a NaN wherever there is one
    return best if job.sampler is None else job.sampler.sample(row), logit, None


def choose_closely(
    job: Job, logits: NDArray[np.float32], vocabulary: Vocabulary
) -> tuple[int, float, TokenLogprobs | None]:
    """Choose the next token of `job`, whose sampler and constraint are told.

    Args:
        job: Whose.
        logits: float32, (n_vocab,); changed.
        vocabulary: The model's.

    Returns:
        The token, its logit (NaN where there are no numbers), and what was asked to be told of it.

    Raises:
        ConstraintFailed: No token fits.
    """
    original = logits.copy() if job.params.top_logprobs is not None else logits
    is_bound = job.constraint is not None and job.constraint.holds
    if not is_bound and (job.params.ignore_end or job.n_completion < job.params.min_tokens):
        logits[vocabulary.end_ids] = -np.inf
    token_id = _pick(job, logits)
    if np.isnan(logits[token_id]):
        return token_id, float("nan"), None
    if is_bound:
        token_id = _obey(job, logits, token_id, vocabulary)
    if job.sampler is not None:
        job.sampler.accept(token_id)
    told = None
    if job.params.top_logprobs is not None:
        told = logprobs_of(original, token_id, job.params.top_logprobs, vocabulary)
    return token_id, float(original[token_id]), told


def _obey(job: Job, logits: NDArray[np.float32], token_id: int, vocabulary: Vocabulary) -> int:
    """The chosen token if its grammar allows it, else the one that is chosen among those it allows."""
    assert job.constraint is not None
    if not job.constraint.permits(token_id):
        job.constraint.mask(logits)
        if np.isneginf(logits.max()):
            raise ConstraintFailed("no token of this model fits")
        token_id = _pick(job, logits)
    if not vocabulary.is_end(token_id):
        job.constraint.accept(token_id)
    return token_id


def _pick(job: Job, logits: NDArray[np.float32]) -> int:
    best = int(logits.argmax())  # finds a NaN wherever there is one
    return best if job.sampler is None or np.isnan(logits[best]) else job.sampler.choose(logits)
