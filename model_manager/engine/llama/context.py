"""A context of a model: the memory of its sequences, and computing with it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from llama_cpp import llama_cpp as native
from numpy.typing import NDArray

from model_manager.engine import backends
from model_manager.engine.batch import Batch
from model_manager.engine.llama import state
from model_manager.engine.llama.library import native_log
from model_manager.engine.llama.placement import KV_TYPES
from model_manager.engine.llama.sampler import Sampler
from model_manager.engine.llama.tracing import Tracer
from model_manager.engine.sampling import Stage
from model_manager.errors import LoadFailed
from model_manager.types import Adapter, KvType

if TYPE_CHECKING:
    from model_manager.engine.llama.model import LlamaModel


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """How a context is made.

    Attributes:
        n_ctx_tokens: Cells that all sequences share.
        n_batch_tokens: Most rows of one decode call.
        n_outputs_max: Most rows of one call whose logits are wanted. The buffer for them is n_vocab floats
            each, and a sequence seldom needs more than its last row.
        tracer: Sees what is computed; None leaves llama.cpp alone, which is a little faster.
        embeddings: Compute the last hidden state of every row, see `LlamaContext.embedding`.
        n_ubatch_tokens: Rows computed at once; 0 is `n_batch_tokens`.
        n_threads_batch: Threads for more than one row; 0 is `n_threads`.
        cache_type_k, cache_type_v: See `LoadPlan`.
        n_rollback_tokens: So many of a sequence's last tokens can be dropped although its state is recurrent,
            for a copy of the state each; only some architectures keep such copies.
    """

    n_ctx_tokens: int
    n_batch_tokens: int
    n_parallel: int
    n_outputs_max: int
    n_threads: int
    tracer: Tracer | None = None
    embeddings: bool = False

    n_ubatch_tokens: int = 0
    n_threads_batch: int = 0
    cache_type_k: KvType = "f16"
    cache_type_v: KvType = "f16"
    n_rollback_tokens: int = 0


class LlamaContext:
    """What sequences hold, and the decode calls that extend it.

    `abort` may be called from any thread; everything else belongs to the one thread that decodes.

    Attributes:
        handle: The native context; 0 once it is closed.
        model: Whose context it is.
        plan: How it was made.
        vocabulary: The model's.
        n_ctx_tokens: Longest sequence, and the number of cells that all sequences share.
        n_swa_tokens: Window of sliding attention; 0 where the model has none.
        can_cut: The last tokens of a sequence can be dropped again; not so where a state is recurrent.
        n_rollback_tokens: Where `can_cut` is False: so many can be dropped all the same, once until the next
            tokens are computed.
        n_batch_tokens: Most rows of one decode call.
        on_computed: Called after each decode call that was done, with its batch.
    """

    def __init__(self, model: LlamaModel, plan: ContextPlan) -> None:
        """Make a context; `LlamaModel.new_context` does.

        Raises:
            LoadFailed: llama.cpp refused, for want of memory as a rule.
        """
        self.model = model
        self.plan = plan
        self.vocabulary = model.vocabulary
        self.handle = int(native.llama_init_from_model(model.handle, _params(plan)) or 0)
        if not self.handle:
            raise LoadFailed(model.name, native_log.last_words() or "no context")
        self._memory = native.llama_get_memory(self.handle)
        self._abort_flag = ctypes.create_string_buffer(2)
        callback = ctypes.cast(backends.flag_reader(), native.ggml_abort_callback)
        native.llama_set_abort_callback(self.handle, callback, ctypes.addressof(self._abort_flag))
        self._abort_callback = callback  # must outlive the context
        self.n_ctx_tokens = plan.n_ctx_tokens
        self.n_batch_tokens: int = native.llama_n_batch(self.handle)
        self.n_parallel: int = native.llama_n_seq_max(self.handle)
        self.n_swa_tokens: int = native.llama_model_n_swa(model.handle)
        self.can_cut = not (
            native.llama_model_is_recurrent(model.handle) or native.llama_model_is_hybrid(model.handle)
        )
        self.n_rollback_tokens: int = native.llama_n_rs_seq(self.handle)
        self.n_threads_max = plan.n_threads
        self.on_computed: Callable[[Batch], None] | None = None
        self._n_threads_batch = plan.n_threads_batch
        self._adapters: tuple[Adapter, ...] = ()
        self._batch: Batch | None = None
        self._raw_batch = native.llama_batch()

    def close(self) -> None:
        """Give the memory back; safe to call twice, and only when nothing decodes any more."""
        if self.handle:
            native.llama_free(self.handle)
            self.handle = 0
            self.model.forget(self)

    def warm_up(self, *, all_experts: bool) -> None:
        """Compute once and forget it: reads the weights in and finds those that are not numbers.

        Args:
            all_experts: Compute with every expert of each layer, so that all weights are read.

        Raises:
            LoadFailed: The weights do not compute finite numbers.
        """
        # WORKAROUND llama.cpp@0c1e57098 src/llama-context.cpp:1269: a graph made for warming up is used again
        # for the next call with as many rows, which then weighs all experts and sums up a few of them:
        # garbage. So a call with another number of rows follows, without it.
        for with_all, n_rows in ((all_experts, 1), (False, 2)):
            native.llama_set_warmup(self.handle, with_all)
            self._check_computes(n_rows)
        # There are memories that cannot be cut besides those that say that they are recurrent.
        self.can_cut = self.can_cut and self.forget(0, 1)
        native.llama_memory_clear(self._memory, True)

    def _check_computes(self, n_rows: int) -> None:
        batch = self.new_batch()
        token_id = max(self.vocabulary.bos_id, 0)
        native.llama_memory_clear(self._memory, False)
        row = batch.add(0, 0, [token_id] * n_rows, wants_logits=True)
        code = self.decode(batch)
        if code != 0:
            reason = native_log.last_words() or f"the first token failed with code {code}"
            raise LoadFailed(self.model.name, reason)
        if not np.isfinite(self.logits(row).max()):
            raise LoadFailed(self.model.name, "the weights do not compute finite numbers")

    # --- decoding ----------------------------------------------------------------------------------------

    def new_batch(self) -> Batch:
        """An empty batch of the size that one decode call takes."""
        return Batch(self.n_batch_tokens)

    def decode(self, batch: Batch) -> int:
        """Compute the rows of `batch`; other Python threads run meanwhile.

        Returns:
            0 done; 1 no room in the context, nothing changed; 2 aborted; negative: failed. After the last two
            what sequences hold must be asked for (`last_position`).
        """
        if self._adapters is not self.model.adapters.current:
            self._adapters = self.model.adapters.current
            self.model.adapters.apply(self.handle)
        if batch is not self._batch:  # its arrays never move, so one struct serves all its calls
            self._batch, self._raw_batch = batch, _raw(batch)
        self._raw_batch.n_tokens = batch.n_rows
        code = int(native.llama_decode(self.handle, self._raw_batch))
        if code == 0 and self.on_computed is not None:
            self.on_computed(batch)
        return code

    def logits(self, row: int) -> NDArray[np.float32]:
        """float32, (n_vocab,) after `row` of the last batch; a view, valid until the next `decode`."""
        pointer = native.llama_get_logits_ith(self.handle, row)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary.n_tokens,))

    def logit(self, row: int, token_id: int) -> float:
        """One of `logits`, at a hundredth of the cost."""
        return float(native.llama_get_logits_ith(self.handle, row)[token_id])

    def embedding(self, row: int) -> NDArray[np.float32]:
        """float32, (n_embd,): the hidden state after `row` of the last batch; a view, as `logits` is."""
        pointer = native.llama_get_embeddings_ith(self.handle, row)
        n_embd = native.llama_model_n_embd_out(self.model.handle)
        return np.ctypeslib.as_array(pointer, shape=(n_embd,))

    def abort(self, stop: bool = True) -> None:
        """Make a running `decode` end within one node of its graph; False lets the next one run."""
        self._abort_flag[0] = b"\x01" if stop else b"\x00"

    def set_threads(self, n_decode: int, n_prefill: int) -> None:
        """Use so many threads from the next `decode` on, for single rows and for longer batches.

        A plan that set the threads of longer batches keeps them.
        """
        native.llama_set_n_threads(self.handle, n_decode, self._n_threads_batch or n_prefill)

    def new_sampler(self, stages: Sequence[Stage]) -> Sampler:
        """A sampler chain over this context's logits."""
        return Sampler(self.handle, self.vocabulary, stages)

    # --- memory ------------------------------------------------------------------------------------------

    def state_bytes(self, sequence_id: int) -> int:
        """Size of what `state` gives."""
        return state.size_bytes(self.handle, sequence_id, partial=False)

    def state(self, sequence_id: int, *, partial: bool) -> NDArray[np.uint8]:
        """A copy of what a sequence was computed to be, for `set_state` of any sequence.

        Args:
            sequence_id: Whose.
            partial: Only the recurrent state and the sliding windows, where there are any.
        """
        return state.read(self.handle, sequence_id, partial=partial)

    def set_state(self, sequence_id: int, data: NDArray[np.uint8], *, partial: bool) -> bool:
        """Replace what a sequence holds; False where it does not fit, then nothing of it may be used.

        `data` must be what `state` gave in a context of the same model, build and kinds of memory: llama.cpp
        checks types and sizes, and ends the process over what else is wrong with it.
        """
        return state.write(self.handle, sequence_id, data, partial=partial)

    def forget(self, sequence_id: int, from_position: int = 0) -> bool:
        """Drop a sequence's cells from a position on; False where this kind of memory cannot cut there."""
        return bool(native.llama_memory_seq_rm(self._memory, sequence_id, from_position, -1))

    def copy(self, source_id: int, target_id: int, n_tokens: int) -> None:
        """Let another, empty sequence share the first `n_tokens` cells; recurrent state is copied whole."""
        if self.n_rollback_tokens:
            # WORKAROUND llama.cpp@0c1e57098 src/llama-memory-recurrent.cpp:249: that a sequence went back to
            # one of its copies is not passed on to who shares its state, and lost to both: read it
            self.set_state(source_id, self.state(source_id, partial=True), partial=True)
        native.llama_memory_seq_cp(self._memory, source_id, target_id, 0, n_tokens)

    def first_position(self, sequence_id: int) -> int:
        """Smallest position that is still there, -1 for an empty sequence; above 0 where a window slid on."""
        return int(native.llama_memory_seq_pos_min(self._memory, sequence_id))

    def last_position(self, sequence_id: int) -> int:
        """Largest position that is there, -1 for an empty sequence."""
        return int(native.llama_memory_seq_pos_max(self._memory, sequence_id))


def _params(plan: ContextPlan) -> native.llama_context_params:
    params: native.llama_context_params = native.llama_context_default_params()
    params.n_ctx = plan.n_ctx_tokens
    params.n_batch = min(plan.n_batch_tokens, plan.n_ctx_tokens)
    params.n_ubatch = min(plan.n_ubatch_tokens or params.n_batch, params.n_batch)
    params.n_seq_max = plan.n_parallel
    params.n_rs_seq = plan.n_rollback_tokens
    params.n_outputs_max = plan.n_outputs_max
    params.n_threads = plan.n_threads
    params.n_threads_batch = plan.n_threads_batch or plan.n_threads
    params.type_k = KV_TYPES[plan.cache_type_k]
    params.type_v = KV_TYPES[plan.cache_type_v]
    params.flash_attn_type = native.LLAMA_FLASH_ATTN_TYPE_AUTO
    params.kv_unified = True
    params.swa_full = False
    params.offload_kqv = True
    params.no_perf = True
    if plan.tracer is not None:
        params.cb_eval = plan.tracer.callback
    if plan.embeddings:
        params.embeddings = True
        params.pooling_type = native.LLAMA_POOLING_TYPE_NONE  # pooled over any number of calls: `embeddings`
    return params


def _raw(batch: Batch) -> native.llama_batch:
    """The native view of a batch; `n_tokens` is left at 0."""
    return native.llama_batch(
        0,
        _pointer(batch.tokens, native.llama_token),
        None,
        _pointer(batch.positions, native.llama_pos),
        _pointer(batch.sequence_counts, ctypes.c_int32),
        _pointer(batch.sequence_pointers, ctypes.POINTER(native.llama_seq_id)),
        _pointer(batch.wants_logits, ctypes.c_int8),
    )


def _pointer(array: NDArray[np.generic], element: type) -> object:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(element))
