"""The only door to llama.cpp: a thin typed wrapper over the low-level binding.

One `LlamaModel` is one model with one context, whose cells are shared by `n_parallel` sequences. Nothing here
decides anything about scheduling; `scheduler` does. The `Llama` class of the binding is never used: it can
neither batch, nor abort, nor place experts.
"""

from __future__ import annotations

import concurrent.futures
import ctypes
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import llama_cpp
import numpy as np
import psutil
from llama_cpp import llama_cpp as native
from numpy.typing import NDArray

from model_manager.engine import backends
from model_manager.engine.batch import Batch
from model_manager.engine.native_log import NativeLog
from model_manager.engine.sampling import Stage
from model_manager.engine.threads import initial_threads
from model_manager.errors import ContextTooLarge, LoadFailed
from model_manager.types import EngineInfo, LoadPlan

DEFAULT_CTX_TOKENS = 8192
_NO_TOKEN = -1
_native_log = NativeLog()


def _write_log(level: int, text: bytes, _user_data: object) -> None:
    _native_log.write(level, text.decode("utf-8", "replace"))


# Native code keeps the address, so the object must live as long as the process.
_on_native_log = native.llama_log_callback(_write_log)


@functools.cache
def _start() -> None:
    """Route the log and register the backends, once a process."""
    native.llama_log_set(_on_native_log, ctypes.c_void_p(0))
    native.llama_backend_init()
    backends.register(Path(llama_cpp.__file__).parent)


def system_info() -> str:
    """llama.cpp's line about the processor features and backends it was built with."""
    _start()
    return bytes(native.llama_print_system_info()).decode()


class LlamaModel:
    """A loaded model and its context.

    `tokenize`, `piece`, `token_id`, `is_end` and `abort` may be called from any thread; everything else
    belongs to the one thread that decodes.

    Attributes:
        info: What the model turned out to be; `can_think` is left False for who reads the template.
        chat_template: The plan's override or the file's own; None where neither has one.
        n_ctx_tokens: Longest sequence, and the number of cells that all sequences share.
        n_swa_tokens: Window of sliding attention; 0 where the model has none.
        n_batch_tokens: Most rows of one decode call.
    """

    def __init__(self, plan: LoadPlan, model: int, context: int, n_ctx_tokens: int, n_threads: int) -> None:
        self._model = model
        self._context = context
        self._vocab = native.llama_model_get_vocab(model)
        self._memory = native.llama_get_memory(context)
        self._abort_flag = ctypes.create_string_buffer(2)
        callback = ctypes.cast(backends.flag_reader(), native.ggml_abort_callback)
        native.llama_set_abort_callback(context, callback, ctypes.addressof(self._abort_flag))
        self._abort_callback = callback  # must outlive the context
        self._pieces: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})

        self.metadata: Mapping[str, str] = self._read_metadata()
        self.n_vocab = native.llama_vocab_n_tokens(self._vocab)
        self.n_ctx_tokens = n_ctx_tokens
        self.n_batch_tokens = native.llama_n_batch(context)
        self.n_parallel = native.llama_n_seq_max(context)
        self.n_swa_tokens = native.llama_model_n_swa(model)
        self.n_threads_max = n_threads
        self.bos_text = self._text_of(native.llama_vocab_bos(self._vocab))
        self.eos_text = self._text_of(native.llama_vocab_eos(self._vocab))
        own_template = native.llama_model_chat_template(model, None)
        self.chat_template = plan.chat_template or (
            own_template.decode("utf-8", "replace") if own_template else None
        )
        self.info = self._describe(plan, n_threads)

    @classmethod
    def load(cls, plan: LoadPlan, on_progress: Callable[[int], None]) -> LlamaModel:
        """Load a model file, make its context, compute one token.

        Args:
            plan: What to load and how.
            on_progress: Told permille of the file's tensors, on this thread; may raise to give up, and what
                it raised comes out of here.

        Raises:
            LoadFailed: llama.cpp refused, or the weights do not compute finite numbers.
            ContextTooLarge: More context than the model was trained for was asked for.
        """
        _start()
        _native_log.forget()
        name = plan.name or plan.model_path.stem
        model = _load_model(plan, name, on_progress)
        try:
            n_ctx_train = native.llama_model_n_ctx_train(model)
            n_ctx = plan.n_ctx_tokens or min(n_ctx_train, DEFAULT_CTX_TOKENS)
            if n_ctx > n_ctx_train:
                raise ContextTooLarge(n_ctx, n_ctx_train)
            n_threads = initial_threads(plan.n_threads)
            context = _make_context(plan, model, n_ctx, n_threads)
            if not context:
                raise LoadFailed(name, _native_log.last_words() or "no context")
        except BaseException:
            native.llama_model_free(model)
            raise
        loaded = cls(plan, model, context, n_ctx, n_threads)
        try:
            # libgomp gives each thread that computes a team of its own, and once there are more of them than
            # cores it lets all of them wait asleep: 93 tokens a second become 74. A team ends with its
            # thread.
            with concurrent.futures.ThreadPoolExecutor(1) as passing:
                passing.submit(loaded._warm_up, name).result()
        except BaseException:
            loaded.close()
            raise
        return loaded

    def _warm_up(self, name: str) -> None:
        """Compute with all experts once: reads the weights in and finds those that are not numbers."""
        fits = native.llama_model_size(self._model) < 0.8 * psutil.virtual_memory().available
        # WORKAROUND llama.cpp@0c1e57098 src/llama-context.cpp:1269: a graph made for warming up is used again
        # for the next call with as many rows, which then weighs all experts and sums up a few of them:
        # garbage. So a call with another number of rows follows, without it.
        for all_experts, n_rows in ((fits, 1), (False, 2)):
            native.llama_set_warmup(self._context, all_experts)
            self._check_computes(name, n_rows)
        native.llama_memory_clear(self._memory, True)

    def _check_computes(self, name: str, n_rows: int) -> None:
        batch = self.new_batch()
        token_id = max(native.llama_vocab_bos(self._vocab), 0)
        native.llama_memory_clear(self._memory, False)
        row = batch.add(0, 0, [token_id] * n_rows, wants_logits=True)
        code = self.decode(batch)
        if code != 0:
            raise LoadFailed(name, _native_log.last_words() or f"the first token failed with code {code}")
        if not np.isfinite(self.logits(row).max()):
            raise LoadFailed(name, "the weights do not compute finite numbers")

    def _describe(self, plan: LoadPlan, n_threads: int) -> EngineInfo:
        architecture = self.metadata.get("general.architecture", "")

        def number(key: str) -> int:
            text = self.metadata.get(f"{architecture}.{key}", "0")
            return int(text) if text.isdecimal() else 0

        return EngineInfo(
            name=plan.name or plan.model_path.stem,
            architecture=architecture,
            n_ctx_tokens=self.n_ctx_tokens,
            n_ctx_train_tokens=native.llama_model_n_ctx_train(self._model),
            n_layers=native.llama_model_n_layer(self._model),
            n_experts=number("expert_count"),
            n_experts_used=number("expert_used_count"),
            can_think=False,
            n_threads=n_threads,
            system_info=system_info(),
            engine=f"llama.cpp {native.llama_version().decode()} (llama-cpp-python {llama_cpp.__version__})",
        )

    def _read_metadata(self) -> dict[str, str]:
        def read(function: Callable[..., int], index: int) -> str:
            n_bytes = function(self._model, index, None, 0)
            if n_bytes < 0:
                return ""
            buffer = ctypes.create_string_buffer(n_bytes + 1)
            function(self._model, index, buffer, n_bytes + 1)
            return buffer.value.decode("utf-8", "replace")

        return {
            read(native.llama_model_meta_key_by_index, i): read(native.llama_model_meta_val_str_by_index, i)
            for i in range(native.llama_model_meta_count(self._model))
        }

    def close(self) -> None:
        """Give the memory back; safe to call twice, and only when nothing decodes any more."""
        if self._context:
            native.llama_free(self._context)
            native.llama_model_free(self._model)
            self._context = self._model = 0

    # --- tokens ------------------------------------------------------------------------------------------

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        """Token ids of `text`.

        Args:
            text: Any text.
            special: Markers such as `<|im_start|>` become control tokens; never pass True for a user's words.
            add_bos: Let the model's own rule add its first token.
        """
        raw = text.encode("utf-8", "replace")
        capacity = len(raw) + 8
        while True:
            buffer = (native.llama_token * capacity)()
            n_tokens = native.llama_tokenize(self._vocab, raw, len(raw), buffer, capacity, add_bos, special)
            if n_tokens >= 0:
                return buffer[:n_tokens]
            capacity = -n_tokens

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        """Bytes of one token, perhaps a part of a character; b"" for a control token unless `special`."""
        cache = self._pieces[special]
        known = cache.get(token_id)
        if known is None:
            known = cache[token_id] = self._read_piece(token_id, special)
        return known

    def _read_piece(self, token_id: int, special: bool) -> bytes:
        capacity = 32
        while True:
            buffer = ctypes.create_string_buffer(capacity)
            n_bytes = native.llama_token_to_piece(self._vocab, token_id, buffer, capacity, 0, special)
            if n_bytes >= 0:
                return buffer.raw[:n_bytes]
            capacity = -n_bytes

    def _text_of(self, token_id: int) -> str:
        return "" if token_id < 0 else self.piece(token_id, special=True).decode("utf-8", "replace")

    def token_id(self, text: str) -> int | None:
        """The one token that is exactly `text`, as markers are; None where it takes several."""
        wanted = text.encode()
        matching = [t for t in self.tokenize(text, special=True) if self.piece(t, special=True) == wanted]
        return matching[0] if matching else None

    def is_end(self, token_id: int) -> bool:
        """Whether the model says with this token that its turn is over."""
        return bool(native.llama_vocab_is_eog(self._vocab, token_id))

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
        raw = native.llama_batch(
            batch.n_rows,
            _pointer(batch.tokens, native.llama_token),
            None,
            _pointer(batch.positions, native.llama_pos),
            _pointer(batch.sequence_counts, ctypes.c_int32),
            _pointer(batch.sequence_pointers, ctypes.POINTER(native.llama_seq_id)),
            _pointer(batch.wants_logits, ctypes.c_int8),
        )
        return int(native.llama_decode(self._context, raw))

    def logits(self, row: int) -> NDArray[np.float32]:
        """float32, (n_vocab,) after `row` of the last batch; a view, valid until the next `decode`."""
        pointer = native.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, shape=(self.n_vocab,))

    def logit(self, row: int, token_id: int) -> float:
        """One of `logits`, at a hundredth of the cost."""
        return float(native.llama_get_logits_ith(self._context, row)[token_id])

    def abort(self, stop: bool = True) -> None:
        """Make a running `decode` end within one node of its graph; False lets the next one run."""
        self._abort_flag[0] = b"\x01" if stop else b"\x00"

    def set_threads(self, n_decode: int, n_prefill: int) -> None:
        """Use so many threads from the next `decode` on, for single rows and for longer batches."""
        native.llama_set_n_threads(self._context, n_decode, n_prefill)

    def forget(self, sequence_id: int, from_position: int = 0) -> bool:
        """Drop a sequence's cells from a position on; False where this kind of memory cannot cut there."""
        return bool(native.llama_memory_seq_rm(self._memory, sequence_id, from_position, -1))

    def copy(self, source_id: int, target_id: int, n_tokens: int) -> None:
        """Let another, empty sequence share the first `n_tokens` cells; recurrent state is copied whole."""
        native.llama_memory_seq_cp(self._memory, source_id, target_id, 0, n_tokens)

    def first_position(self, sequence_id: int) -> int:
        """Smallest position that is still there, -1 for an empty sequence; above 0 where a window slid on."""
        return int(native.llama_memory_seq_pos_min(self._memory, sequence_id))

    def last_position(self, sequence_id: int) -> int:
        """Largest position that is there, -1 for an empty sequence."""
        return int(native.llama_memory_seq_pos_max(self._memory, sequence_id))

    def new_sampler(self, stages: Sequence[Stage]) -> Sampler:
        """A sampler chain over this model's logits."""
        return Sampler(self._context, self._vocab, self.n_vocab, stages)


class Sampler:
    """A native chain of samplers; belongs to one answer and to the decode thread."""

    def __init__(self, context: int, vocab: int, n_vocab: int, stages: Sequence[Stage]) -> None:
        self._context = context
        self._vocab = vocab
        self._n_vocab = n_vocab
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
        return getattr(native, f"llama_sampler_init_{stage.name}")(*stage.arguments)

    def sample(self, row: int) -> int:
        """Choose the token after `row` of the last batch, and remember it for the penalties."""
        return int(native.llama_sampler_sample(self._chain, self._context, row))

    def accept(self, token_id: int) -> None:
        """Remember a token that was not sampled here."""
        native.llama_sampler_accept(self._chain, token_id)

    def close(self) -> None:
        """Free the chain; safe to call twice."""
        if self._chain:
            native.llama_sampler_free(self._chain)
            self._chain = None


def _pointer(array: NDArray[np.generic], element: type) -> object:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(element))


def _load_model(plan: LoadPlan, name: str, on_progress: Callable[[int], None]) -> int:
    if not plan.model_path.is_file():
        raise LoadFailed(name, f"no such file: {plan.model_path}")
    raised: list[BaseException] = []
    last_permille = -1

    def report(fraction: float, _user_data: object) -> bool:
        nonlocal last_permille
        permille = min(1000, int(fraction * 1000))
        if permille > last_permille:
            last_permille = permille
            try:
                on_progress(permille)
            except BaseException as error:  # noqa: BLE001 - an exception must not cross native frames
                raised.append(error)
        return not raised

    params = native.llama_model_default_params()
    params.n_gpu_layers = plan.n_gpu_layers
    params.progress_callback = native.llama_progress_callback(report)
    model = native.llama_model_load_from_file(str(plan.model_path).encode(), params)
    if raised:
        if model:
            native.llama_model_free(model)
        raise raised[0]
    if not model:
        raise LoadFailed(name, _native_log.last_words() or "llama.cpp gave no reason")
    return int(model)


def _make_context(plan: LoadPlan, model: int, n_ctx: int, n_threads: int) -> int:
    params = native.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = min(plan.n_batch_tokens, n_ctx)
    params.n_ubatch = params.n_batch
    params.n_seq_max = plan.n_parallel
    # The buffer for logits is n_vocab floats a row, and a sequence never needs more than its last row.
    params.n_outputs_max = plan.n_parallel
    params.n_threads = n_threads
    params.n_threads_batch = n_threads
    params.flash_attn_type = native.LLAMA_FLASH_ATTN_TYPE_AUTO
    params.kv_unified = True
    params.swa_full = False
    params.offload_kqv = True
    params.no_perf = True
    return int(native.llama_init_from_model(model, params) or 0)
