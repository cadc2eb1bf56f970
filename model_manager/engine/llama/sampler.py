"""A native chain of samplers."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Final

import numpy as np
from llama_cpp import llama_cpp as native
from numpy.typing import NDArray

from model_manager.engine.llama.candidates import CANDIDATE, apply
from model_manager.engine.llama.vocabulary import Vocabulary
from model_manager.engine.sampling import Stage

_BREAKERS: Final = (b"\n", b":", b'"', b"*")
"""What ends a repetition for "don't repeat yourself"; those of llama-server."""


class Sampler:
    """Chooses tokens from a context's logits; belongs to one answer and to the decode thread."""

    def __init__(self, context_handle: int, vocabulary: Vocabulary, stages: Sequence[Stage]) -> None:
        self._context = context_handle
        self._vocabulary = vocabulary
        self._n_vocab = vocabulary.n_tokens
        self._candidates: NDArray[np.void] | None = None
        self._chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
        for stage in stages:
            native.llama_sampler_chain_add(self._chain, self._make(stage))

    def _make(self, stage: Stage) -> object:
        if stage.name == "logit_bias":
            # A token that the vocabulary lacks would be written to all the same.
            valid = [pair for pair in stage.biases if 0 <= pair[0] < self._n_vocab]
            array = (native.llama_logit_bias * len(valid))(
                *(native.llama_logit_bias(*pair) for pair in valid)
            )
            return native.llama_sampler_init_logit_bias(self._n_vocab, len(valid), array)
        if stage.name == "penalties":
            return native.llama_sampler_init_penalties(self._n_vocab, *stage.arguments)
        if stage.name == "dry":
            breakers = (ctypes.c_char_p * len(_BREAKERS))(*_BREAKERS)
            return native.llama_sampler_init_dry(
                self._vocabulary.handle, *stage.arguments, breakers, len(_BREAKERS)
            )
        return getattr(native, f"llama_sampler_init_{stage.name}")(*stage.arguments)

    def sample(self, row: int) -> int:
        """Choose the token after `row` of the last batch, and remember it for the penalties."""
        return int(native.llama_sampler_sample(self._chain, self._context, row))

    def choose(self, logits: NDArray[np.float32]) -> int:
        """Choose by these logits, without remembering it: `accept` does once the choice stands.

        Args:
            logits: float32, (n_vocab,); -inf is never chosen unless all are.
        """
        if self._candidates is None:
            self._candidates = np.zeros(self._n_vocab, CANDIDATE)
        self._candidates["id"] = np.arange(self._n_vocab)
        self._candidates["logit"] = logits
        return apply(self._chain, self._candidates)

    def accept(self, token_id: int) -> None:
        """Remember a token that was not sampled here."""
        native.llama_sampler_accept(self._chain, token_id)

    def close(self) -> None:
        """Free the chain; safe to call twice."""
        if self._chain:
            native.llama_sampler_free(self._chain)
            self._chain = None
