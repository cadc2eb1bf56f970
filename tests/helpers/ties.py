"""Two answers of one prompt that may part where the model was in two minds, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_manager.engine.llama.context import LlamaContext

TOLERANCE_LOGITS = 1.8
"""Twice what the row of a token differs by between a call of its own and one with others beside it.

Measured: 0 with the dense starter on one processor (another rounds differently); up to 0.87 with the mixture,
whose single rows take another kernel. Where an answer goes another way, the two tokens were closer than this.
"""

_ROWS = 32  # longer calls round differently again


def first_difference(first: Sequence[int], second: Sequence[int]) -> int | None:
    """Index of the first token that is not the same; None where the answers are equal."""
    for i, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return i
    return None if len(first) == len(second) else min(len(first), len(second))


def tie_logits(
    context: LlamaContext, prompt: Sequence[int], first: Sequence[int], second: Sequence[int]
) -> float:
    """How far apart the two tokens are at which the answers part; 0 where they are equal.

    Args:
        context: Of the model, with no scheduler that runs; its sequence 0 is used and forgotten.
        prompt: Tokens that both answers follow.
        first: One answer's tokens.
        second: The other's.
    """
    n_same = first_difference(first, second)
    if n_same is None:
        return 0.0
    logits = _logits(context, [*prompt, *first[:n_same]])
    ends = context.vocabulary.end_ids
    one, other = (
        max(float(logits[token]) for token in (a[n_same : n_same + 1] or ends)) for a in (first, second)
    )
    return abs(one - other)


def _logits(context: LlamaContext, tokens: Sequence[int]) -> NDArray[np.float32]:
    context.forget(0)
    context.abort(False)  # a scheduler that was closed left it so
    batch = context.new_batch()
    for start in range(0, len(tokens), _ROWS):
        batch.clear()
        row = batch.add(0, start, list(tokens[start : start + _ROWS]), wants_logits=True)
        assert context.decode(batch) == 0
    logits = context.logits(row).copy()
    context.forget(0)
    return logits
