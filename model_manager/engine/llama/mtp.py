"""The layers that some models bring for guessing: multi-token prediction.

Such a layer sees a token and the hidden state that the model had one position before, and predicts the token
after the next. Two things of llama.cpp that are not in its stable interface make it run: a context of another
type over the same weights, and the hidden states of every row of the model's own calls.
Source: llama-cpp-python 0.3.36 llama_cpp/llama_cpp_ext.py; its examples/server/server.py, `MTPDraftProvider`
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np
from llama_cpp import llama_cpp as native
from numpy.typing import NDArray

from model_manager.engine import memory
from model_manager.engine.batch import Batch
from model_manager.engine.llama import hardware
from model_manager.engine.llama.library import native_log
from model_manager.errors import LoadFailed, NoGuessingLayers
from model_manager.tensor_patterns import MAIN_MEMORY
from model_manager.types import DeviceMemory

if TYPE_CHECKING:
    from model_manager.engine.llama.context import LlamaContext


class MtpContext:
    """The guessing layers beside a context, with the same sequences; belongs to the decode thread.

    Attributes:
        n_embd: Numbers of a hidden state.
        n_rows_max: Most rows of one call.
        memory: What it takes beside the weights, the hidden states that the model keeps for it included.
    """

    def __init__(self, target: LlamaContext) -> None:
        """Make it, and let the model's own calls keep their hidden states from now on.

        Raises:
            NoGuessingLayers: The file has none.
            LoadFailed: The binding cannot do it.
        """
        try:
            from llama_cpp import llama_cpp_ext
        except AttributeError as error:  # the library lacks one of its functions
            raise LoadFailed(target.model.name, str(error)) from None
        self._ext = llama_cpp_ext
        if native.llama_model_n_layer_nextn(target.model.handle) < 1:
            raise NoGuessingLayers(target.model.name)
        self._target = target
        self.n_embd: int = native.llama_model_n_embd_out(target.model.handle)
        self.n_rows_max = target.n_batch_tokens
        params = native.llama_context_default_params()
        params.n_ctx = target.n_ctx_tokens
        params.n_batch = params.n_ubatch = self.n_rows_max
        params.n_seq_max = params.n_outputs_max = target.n_parallel
        params.n_threads = params.n_threads_batch = target.n_threads_max
        params.kv_unified = True
        params.no_perf = True
        params.swa_full = False
        params.ctx_type = native.LLAMA_CONTEXT_TYPE_MTP
        params.ctx_other = target.handle
        with native_log.gathering() as lines:
            self._handle = int(native.llama_init_from_model(target.model.handle, params) or 0)
        if not self._handle:
            raise LoadFailed(target.model.name, native_log.last_words() or "no context for guessing")
        self.memory: tuple[DeviceMemory, ...] = memory.added(
            memory.device_memory(
                memory.read_log(lines), hardware.buffer_names(target.model.plan.rpc_devices)
            ),
            [DeviceMemory(MAIN_MEMORY, output_bytes=4 * self.n_embd * self.n_rows_max)],
        )
        self._memory = native.llama_get_memory(self._handle)
        self._ext.llama_set_embeddings_nextn(self._handle, True, True)
        self._ext.llama_set_embeddings_nextn(target.handle, True, False)
        self._batch = Batch(self.n_rows_max)
        self._states: NDArray[np.float32] = np.zeros((self.n_rows_max, self.n_embd), np.float32)

    def close(self) -> None:
        """Give the memory back; the model's own calls keep nothing any more."""
        if self._handle:
            if self._target.handle:
                self._ext.llama_set_embeddings_nextn(self._target.handle, False, False)
            native.llama_free(self._handle)
            self._handle = 0

    def target_states(self, n_rows: int) -> NDArray[np.float32]:
        """float32, (n_rows, n_embd): hidden states of the model's last call; valid until its next."""
        pointer = self._ext.llama_get_embeddings_nextn(self._target.handle)
        return np.ctypeslib.as_array(pointer, shape=(n_rows, self.n_embd))

    def own_state(self) -> NDArray[np.float32]:
        """float32, (n_embd,) of the last row of the last `decode` with logits."""
        pointer = self._ext.llama_get_embeddings_nextn_ith(self._handle, self._batch.n_rows - 1)
        return np.ctypeslib.as_array(pointer, shape=(self.n_embd,))

    def logits(self) -> NDArray[np.float32]:
        """float32, (n_vocab,) after the last row of the last `decode` with logits."""
        pointer = native.llama_get_logits_ith(self._handle, self._batch.n_rows - 1)
        return np.ctypeslib.as_array(pointer, shape=(self._target.vocabulary.n_tokens,))

    def decode(
        self,
        sequence_id: int,
        position: int,
        tokens: list[int],
        states: NDArray[np.float32],
        *,
        wants_logits: bool,
    ) -> bool:
        """Compute consecutive tokens of one sequence, each with the state of the position before it."""
        batch = self._batch
        batch.clear()
        batch.add(sequence_id, position, tokens, wants_logits=wants_logits)
        self._states[: len(tokens)] = states
        raw = native.llama_batch(
            batch.n_rows,
            _pointer(batch.tokens, native.llama_token),
            _pointer(self._states, ctypes.c_float),
            _pointer(batch.positions, native.llama_pos),
            _pointer(batch.sequence_counts, ctypes.c_int32),
            _pointer(batch.sequence_pointers, ctypes.POINTER(native.llama_seq_id)),
            _pointer(batch.wants_logits, ctypes.c_int8),
        )
        return int(native.llama_decode(self._handle, raw)) == 0

    def forget(self, sequence_id: int, from_position: int) -> bool:
        """Drop a sequence's cells from a position on."""
        return bool(native.llama_memory_seq_rm(self._memory, sequence_id, from_position, -1))

    def set_threads(self, n_threads: int) -> None:
        """Use so many threads from the next `decode` on."""
        native.llama_set_n_threads(self._handle, n_threads, n_threads)


def _pointer(array: NDArray[np.generic], element: type) -> object:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(element))
