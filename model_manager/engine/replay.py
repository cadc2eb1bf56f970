"""Which experts the tokens of an answer went to, found out by computing them again.

A chat decodes without a callback, at full speed. Whoever wants to look inside later has its tokens go once
more through the same weights, in a second context that is made for it and freed after it: one prefill. The
thread of the chat is not disturbed beyond sharing cores. Source: design 4.4, notes A2
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from model_manager.engine.batch import Batch
from model_manager.engine.llama.context import ContextPlan, LlamaContext
from model_manager.engine.llama.tracing import Choices, Tracer
from model_manager.engine.routing import NO_EXPERT, Routing, RoutingSource, stacked
from model_manager.errors import (
    DecodeFailed,
    EmptyPrompt,
    PromptTooLong,
    RequestRefused,
    TracingUnavailable,
)

_LEAST_CHUNK_TOKENS: Final = 32
# llama.cpp keeps logits for every row of a call that wants them, and the last layer sees only such rows.
_OUTPUT_BYTES: Final = 64 << 20
_CTX_STEP_TOKENS: Final = 256


class Replay:
    """One pass; `run` belongs to the thread that calls it, which must end soon after.

    (A thread that has computed keeps a team of native threads for as long as it lives.)
    """

    def __init__(
        self,
        chat: LlamaContext,
        tokens: Sequence[int],
        first: int,
        is_chat_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """Check what is asked for.

        Args:
            chat: The context whose weights and settings are used; its memory is not.
            tokens: All of them from the beginning of the sequence.
            first: Index of the first one to look at; those before are computed all the same.
            is_chat_busy: Asked before each chunk; one core is enough for this while somebody waits.

        Raises:
            EmptyPrompt: There is no token to look at.
            PromptTooLong: More than the model can read.
            RequestRefused: Ids that its vocabulary does not have.
        """
        if not 0 <= first < len(tokens):
            raise EmptyPrompt
        n_ctx_train = chat.model.n_ctx_train_tokens
        if len(tokens) > max(n_ctx_train, chat.n_ctx_tokens):
            raise PromptTooLong(len(tokens), n_ctx_train)
        if not all(0 <= token_id < chat.vocabulary.n_tokens for token_id in tokens):
            raise RequestRefused(400, "tokens: not ids of this model's vocabulary")
        self._chat = chat
        self._tokens = list(tokens)
        self._first = first
        self._is_chat_busy = is_chat_busy
        self._lock = threading.Lock()
        self._context: LlamaContext | None = None
        self._is_cancelled = False
        self.n_done = 0

    @property
    def n_tokens(self) -> int:
        """How many are computed when it is done."""
        return len(self._tokens)

    def cancel(self) -> None:
        """End it at once, from any thread; `run` then simply stops."""
        with self._lock:
            self._is_cancelled = True
            if self._context is not None:
                self._context.abort()

    def run(self) -> Iterator[Routing | None]:
        """Compute; after each chunk, what is known of its tokens, None where they are only on the way.

        Raises:
            TracingUnavailable: This build or model does not show its choices.
            DecodeFailed: llama.cpp could not compute.
            NotEnoughMemory, LoadFailed: There is no memory for another context.
        """
        model = self._chat.model
        if not model.number("expert_count"):
            yield routing_of(self._chat, self._tokens[self._first :], [], "replay")
            return
        tracer = Tracer.of(model.architecture)
        plan = self._plan(tracer)
        model.require_room(plan)  # or answers that are made would end with this process
        context = model.new_context(plan)
        try:
            with self._lock:
                self._context = context
                if self._is_cancelled:
                    return
            yield from self._compute(context, tracer)
        finally:
            with self._lock:
                self._context = None
            context.close()

    def _plan(self, tracer: Tracer) -> ContextPlan:
        by_memory = _OUTPUT_BYTES // (4 * self._chat.vocabulary.n_tokens)
        n_traced = len(self._tokens) - self._first
        n_outputs = min(n_traced, max(_LEAST_CHUNK_TOKENS, by_memory))
        return dataclasses.replace(
            self._chat.plan,
            n_ctx_tokens=-(-len(self._tokens) // _CTX_STEP_TOKENS) * _CTX_STEP_TOKENS,
            # A chunk is computed at once, so that what is seen of it comes in the order of its tokens.
            n_batch_tokens=min(
                self._chat.plan.n_ubatch_tokens or self._chat.plan.n_batch_tokens, len(self._tokens)
            ),
            n_ubatch_tokens=0,
            n_parallel=1,
            n_outputs_max=n_outputs,
            tracer=tracer,
        )

    def _compute(self, context: LlamaContext, tracer: Tracer) -> Iterator[Routing | None]:
        batch = context.new_batch()
        # Nothing behind the experts of the last layer is of use here: of a small model with a large
        # vocabulary the logits are a third of the work.
        tracer.last_layer = context.model.n_layers - 1
        start = 0
        while start < len(self._tokens):
            is_traced = start >= self._first
            limit = context.plan.n_outputs_max if is_traced else self._first - start
            tokens = self._tokens[start : start + min(limit, batch.n_rows_max)]
            tracer.is_on = is_traced
            if not self._decode(context, batch, start, tokens, wants_all=is_traced):
                return
            start = self.n_done = start + len(tokens)
            if not is_traced:
                yield None
                continue
            choices = tracer.take().choices
            if not choices:
                raise TracingUnavailable("no experts were seen")
            tracer.last_layer = choices[-1].layer
            yield routing_of(context, tokens, choices, "replay")

    def _decode(
        self, context: LlamaContext, batch: Batch, start: int, tokens: list[int], *, wants_all: bool
    ) -> bool:
        """False when it was cancelled."""
        batch.clear()
        batch.add(0, start, tokens, wants_logits=False)
        # Without them the last layer computes nothing that could be seen.
        batch.wants_logits[: len(tokens)] = wants_all
        n_threads = 1 if self._is_chat_busy() else self._chat.n_threads_max
        context.set_threads(n_threads, n_threads)
        code = context.decode(batch)
        if self._is_cancelled:
            return False
        if code != 0:
            raise DecodeFailed(code)
        return True


def routing_of(
    context: LlamaContext, tokens: Sequence[int], choices: Sequence[Choices], source: RoutingSource
) -> Routing:
    """What was seen of some tokens, with all that there is to say of them."""
    model, vocabulary = context.model, context.vocabulary
    return Routing(
        n_layers=model.n_layers,
        n_experts=model.number("expert_count"),
        n_experts_used=model.number("expert_used_count"),
        token_ids=tuple(tokens),
        texts=tuple(vocabulary.piece(t, special=True).decode("utf-8", "replace") for t in tokens),
        layers=tuple(choice.layer for choice in choices),
        experts=stacked([choice.experts for choice in choices], NO_EXPERT, np.int16, len(tokens)),
        weights=stacked([choice.weights for choice in choices], 0, np.float32, len(tokens)),
        source=source,
    )
