"""How likely the model found a token, and what else it thought of.

The numbers are the model's own distribution: a softmax over its raw logits, before temperature, penalties,
biases, cuts and grammars.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model_manager.types import IMPOSSIBLE_LOGPROB, Likelihood, TokenLogprobs


class Pieces(Protocol):
    """What is needed of a vocabulary."""

    def piece(self, token_id: int, *, special: bool = False) -> bytes: ...  # noqa: D102 - see Vocabulary


def logprobs_of(logits: NDArray[np.float32], token_id: int, n_top: int, vocabulary: Pieces) -> TokenLogprobs:
    """What is to be told of a chosen token.

    Args:
        logits: float32, (n_vocab,), as the model computed them.
        token_id: The chosen one.
        n_top: Alternatives to tell, the most likely first; the chosen one may be among them.
        vocabulary: Spells them.
    """
    peak = logits.max()
    norm = float(peak) + float(np.log(np.exp(logits - peak).sum(dtype=np.float64)))

    def likelihood(token: int) -> Likelihood:
        logprob = float(logits[token]) - norm
        return Likelihood(token, vocabulary.piece(token, special=True), max(logprob, IMPOSSIBLE_LOGPROB))

    top = np.argpartition(logits, -n_top)[-n_top:] if n_top else np.empty(0, np.intp)
    ranked = top[np.argsort(-logits[top], kind="stable")]
    return TokenLogprobs(likelihood(token_id), tuple(likelihood(int(token)) for token in ranked))
