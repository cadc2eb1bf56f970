"""Vectors that stand for texts: `POST /v1/embeddings`, and how they are computed.

The hidden states of the last layer are averaged, or the last one is taken where the model was trained so,
and scaled to length 1. That happens here and not in llama.cpp, whose pooling wants a text in one batch, with
the logits of all its rows: 1.2 GiB for 2,048 tokens of a vocabulary of 150,000.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_manager.engine.checking import refusal
from model_manager.engine.llama.context import ContextPlan, LlamaContext
from model_manager.engine.threads import ThreadController
from model_manager.errors import DecodeFailed, EmptyPrompt, PromptTooLong, RequestRefused

MAX_INPUTS: Final = 2048
_ROWS: Final = 32  # few enough that a busy machine is noticed within a text; more is hardly faster: `chunks`
_TELLING_ROWS: Final = 16
_SMALLEST_CTX_TOKENS: Final = 512
_POOLING_LAST: Final = "3"  # llama.h, enum llama_pooling_type

_TokenId = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Embedded:
    """The result of one request.

    Attributes:
        vectors: float32, (n_inputs, n_embd), each of length 1.
        n_tokens: Of all inputs together.
    """

    vectors: NDArray[np.float32]
    n_tokens: int


class EmbeddingsRequest(BaseModel):
    """The body of `POST /v1/embeddings`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    input: str | list[str] | list[_TokenId] | list[list[_TokenId]]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None

    @classmethod
    def parse(cls, body: bytes) -> EmbeddingsRequest:
        """Read a request's body.

        Raises:
            RequestRefused: It is not JSON, lacks something, or asks for what is not supported.
        """
        try:
            parsed = cls.model_validate_json(body)
        except ValidationError as error:
            raise refusal(error, body) from None
        if not 1 <= len(parsed.inputs) <= MAX_INPUTS:
            raise RequestRefused(400, f"input: 1 to {MAX_INPUTS} texts are needed")
        return parsed

    @property
    def inputs(self) -> list[str | list[int]]:
        """One by one."""
        if isinstance(self.input, str):
            return [self.input]
        if self.input and isinstance(self.input[0], int):
            return [[token for token in self.input if isinstance(token, int)]]
        return [each for each in self.input if not isinstance(each, int)]

    def body(self, made: Embedded, model: str) -> dict[str, Any]:
        """OpenAI's answer.

        Raises:
            RequestRefused: Vectors of another length were asked for.
        """
        n_embd = made.vectors.shape[1]
        if self.dimensions not in (None, n_embd):
            raise RequestRefused(400, f"dimensions: vectors of this model have {n_embd} numbers")
        return {
            "object": "list",
            "model": model,
            "data": [
                {"object": "embedding", "index": index, "embedding": self._encoded(vector)}
                for index, vector in enumerate(made.vectors)
            ],
            "usage": {"prompt_tokens": made.n_tokens, "total_tokens": made.n_tokens},
        }

    def _encoded(self, vector: NDArray[np.float32]) -> str | list[float]:
        if self.encoding_format == "base64":
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return [float(number) for number in vector]


class Embedder:
    """Computes vectors with a context of its own, made when it is first needed; one request at a time."""

    def __init__(self, chat_context: LlamaContext) -> None:
        """Prepare; nothing is allocated yet.

        Args:
            chat_context: Of the same model; its length is the longest input.
        """
        self._model = chat_context.model
        self._n_ctx_max = chat_context.n_ctx_tokens
        self._takes_last = (
            self._model.metadata.get(f"{self._model.architecture}.pooling_type") == _POOLING_LAST
        )
        # Each token of such a model sees those behind it as well, so they must be computed together.
        self._is_causal = self._model.metadata.get(f"{self._model.architecture}.attention.causal") != "false"
        self._context: LlamaContext | None = None
        self._threads = ThreadController(chat_context.n_threads_max)
        self._lock = threading.Lock()

    def embed(self, inputs: Sequence[Sequence[int]], cancelled: threading.Event) -> Embedded:
        """A vector for each input; blocks.

        Raises:
            EmptyPrompt, PromptTooLong: An input has no tokens, or too many; nothing was computed.
            NotEnoughMemory, LoadFailed: There is no memory for it.
            DecodeFailed: It did not work.
            RequestRefused: `cancelled` was set.
        """
        for tokens in inputs:
            if not tokens:
                raise EmptyPrompt
            if len(tokens) > self._n_ctx_max:
                raise PromptTooLong(len(tokens), self._n_ctx_max)
        with self._lock:
            context = self._context_for(max(map(len, inputs)))
            vectors = np.stack([self._vector(context, tokens, cancelled) for tokens in inputs])
        return Embedded(vectors, sum(map(len, inputs)))

    def _context_for(self, n_tokens: int) -> LlamaContext:
        if self._context is not None and self._context.n_ctx_tokens < n_tokens:
            self._context.close()
            self._context = None
        if self._context is None:
            size = _SMALLEST_CTX_TOKENS
            while size < n_tokens:
                size *= 2
            plan = ContextPlan(
                n_ctx_tokens=size,
                n_batch_tokens=_ROWS if self._is_causal else size,
                n_parallel=1,
                n_outputs_max=_ROWS if self._is_causal else size,
                n_threads=self._threads.n_threads,
                embeddings=True,
            )
            self._model.require_room(plan)  # or answers that are made would end with this process
            self._context = self._model.new_context(plan)
        return self._context

    def _vector(
        self, context: LlamaContext, tokens: Sequence[int], cancelled: threading.Event
    ) -> NDArray[np.float32]:
        total: NDArray[np.float64] | float = 0.0
        batch = context.new_batch()
        n_rows = _ROWS if self._is_causal else len(tokens)
        for start in range(0, len(tokens), n_rows):
            if cancelled.is_set():
                context.forget(0)
                raise RequestRefused(499, "the client went away")
            chunk = list(tokens[start : start + n_rows])
            batch.clear()
            batch.add(0, start, chunk, wants_logits=True)
            batch.wants_logits[: batch.n_rows] = 1
            began_s = time.perf_counter()
            code = context.decode(batch)
            if len(chunk) >= _TELLING_ROWS:
                # So that a busy machine is noticed: threads that spin for a core are slower than one.
                elapsed_s = (time.perf_counter() - began_s) / len(chunk)
                self._threads.adjust(1, elapsed_s, context.set_threads)
            if code != 0:
                context.forget(0)
                raise DecodeFailed(code)
            if self._takes_last:
                total = context.embedding(batch.n_rows - 1).astype(np.float64)
            else:
                rows = (context.embedding(row) for row in range(batch.n_rows))
                total = total + np.sum(list(rows), axis=0, dtype=np.float64)
        context.forget(0)
        vector = np.asarray(total)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0:
            raise DecodeFailed(0)
        return (vector / length).astype(np.float32)
