"""How large the memory of a context is, from a file's header alone: before anything is downloaded.

Every layer is of one of three kinds: it keeps keys and values of all cells, of those of a window, or a state
that does not grow. What is not known here (an architecture newer than this table) counts as full attention,
which is rather too much than too little.
Source: llama.cpp@0c1e57098 src/llama-kv-cache.cpp, llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp,
llama-hparams.cpp (`n_embd_r`, `n_embd_s`), and `load_swa_pattern`, `is_recr_impl` in src/models/*.cpp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from model_manager.gguf import GgufHeader
from model_manager.placement_types import KvType

LayerKind = Literal["full", "window", "state", "none"]

CELLS_PADDING: Final = 256
MAX_LAYERS: Final = 512
"""llama.cpp's own limit (`LLAMA_MAX_LAYERS`); a damaged header may promise four billion."""
_STATE_BYTES: Final = 4  # f32, whatever the keys and values are
_KV_BYTES: Final[Mapping[KvType, float]] = {"f16": 2, "q8_0": 34 / 32, "q4_0": 18 / 32}

# Period of the layers with a window, where the file does not list them; whether the full one comes first.
_WINDOW_PERIODS: Final[Mapping[str, tuple[int, bool]]] = {
    "afmoe": (4, False),
    "cohere2": (4, False),
    "cohere2moe": (4, True),
    "exaone-moe": (4, False),
    "exaone4": (4, False),
    "gemma2": (2, False),
    "gemma3": (6, False),
    "gemma3n": (5, False),
    "gpt-oss": (2, False),
    "laguna": (4, True),
    "llama4": (4, False),
    "mellum": (4, False),
    "olmo2": (4, False),
    "plamo3": (8, False),
    "smallthinker": (4, True),
}
_WINDOW_TOKENS: Final[Mapping[str, int]] = {"llama4": 8192, "smallthinker": 4096}
"""Windows that llama.cpp fixes, whatever the file says."""
_DEFAULT_WINDOW_TOKENS: Final[Mapping[str, int]] = {"gemma2": 4096, "exaone4": 4096, "exaone-moe": 128}
_STATE_PERIODS: Final[Mapping[str, int]] = {
    "qwen3next": 4,
    "qwen35": 4,
    "qwen35moe": 4,
    "qwen4exp": 4,
    "minimax-01": 8,
}
"""Every so many layers one has attention, where the file does not say."""


@dataclass(frozen=True, slots=True)
class ContextSize:
    """What is asked of a context."""

    n_ctx_tokens: int
    n_parallel: int = 4
    n_ubatch_tokens: int = 512
    cache_type_k: KvType = "f16"
    cache_type_v: KvType = "f16"


@dataclass(frozen=True, slots=True)
class CacheBytes:
    """What it takes.

    Attributes:
        kv_bytes: Keys and values.
        state_bytes: Recurrent states, which do not depend on the context's length.
        by_layer: Keys and values, the first layer first.
    """

    kv_bytes: int
    state_bytes: int
    by_layer: tuple[int, ...]


def cache_bytes(header: GgufHeader, context: ContextSize) -> CacheBytes:
    """Memory of a context of the model that a header describes."""
    shape = _Shape(header)
    n_cells, n_window_cells = _padded(context.n_ctx_tokens), _n_window_cells(shape, context)
    by_layer = []
    n_states = 0
    for layer in range(shape.n_layers):
        kind = shape.kind(layer)
        n_states += kind == "state"
        kept = 0.0
        if kind in ("full", "window"):
            kept += shape.n_key_values(layer) * _KV_BYTES[context.cache_type_k]
            kept += shape.n_values(layer) * _KV_BYTES[context.cache_type_v]
        by_layer.append(int(kept * (n_window_cells if kind == "window" else n_cells)))
    if shape.has_both:
        n_states = shape.n_layers
    state = n_states * shape.n_state_values * _STATE_BYTES * max(1, context.n_parallel)
    return CacheBytes(sum(by_layer), state, tuple(by_layer))


def mask_cells(header: GgufHeader, context: ContextSize) -> int:
    """Cells of a row of the masks of attention: of the whole context, and of the window if there is one."""
    shape = _Shape(header)
    kinds = {shape.kind(layer) for layer in range(shape.n_layers)}
    n_window_cells = _n_window_cells(shape, context) if "window" in kinds else 0
    return context.n_ctx_tokens + n_window_cells


def _n_window_cells(shape: _Shape, context: ContextSize) -> int:
    n_cells = shape.n_window * context.n_parallel + context.n_ubatch_tokens
    return _padded(min(_padded(context.n_ctx_tokens), n_cells))


def _padded(n_cells: int) -> int:
    return -(-n_cells // CELLS_PADDING) * CELLS_PADDING


class _Shape:
    """The numbers of a header that matter here."""

    def __init__(self, header: GgufHeader) -> None:
        self._header = header
        self._architecture = header.architecture
        n_extra = self._number("nextn_predict_layers")  # of multi-token prediction: not computed as a rule
        self.n_layers = min(max(0, header.n_layers - n_extra), MAX_LAYERS)
        self.has_both = self._architecture == "falcon-h1"
        self._n_heads = self._number("attention.head_count") or 1
        width = self._number("embedding_length") // self._n_heads
        self._key_width = self._number("attention.key_length") or width
        self._value_width = self._number("attention.value_length") or width
        self._latent = self._latent_width()
        self.n_window = _WINDOW_TOKENS.get(
            self._architecture,
            self._number("attention.sliding_window") or _DEFAULT_WINDOW_TOKENS.get(self._architecture, 0),
        )
        if "attention.sliding_window" in self._keys() and not self._number("attention.sliding_window"):
            self.n_window = 0
        self._kinds = [self._kind_of(layer) for layer in range(self.n_layers)]

    def _keys(self) -> set[str]:
        prefix = f"{self._architecture}."
        return {key.removeprefix(prefix) for key in self._header.metadata}

    def _number(self, name: str) -> int:
        return self._header.hyperparameter(name)

    def _of_layer(self, name: str, layer: int, otherwise: int) -> int:
        """A number that may be given for each layer."""
        value = self._header.metadata.get(f"{self._architecture}.{name}")
        if isinstance(value, tuple):
            item = value[layer] if layer < len(value) else otherwise
            return int(item) if isinstance(item, (int, bool)) else otherwise
        return value if isinstance(value, int) else otherwise

    def _latent_width(self) -> int:
        """Width of what multi-head latent attention keeps in place of keys and values; 0 elsewhere."""
        if not (self._number("attention.key_length_mla") and self._number("attention.value_length_mla")):
            return 0
        return self._key_width

    def kind(self, layer: int) -> LayerKind:
        """What a layer keeps."""
        return self._kinds[layer]

    def _kind_of(self, layer: int) -> LayerKind:
        if self._is_shared(layer):
            return "none"
        if self._is_nemotron and self._of_layer("feed_forward_length", layer, 0) != 0:
            return "none"  # its layers are attention, or a state, or experts, and never two of them
        if not self.has_both and self._keeps_state(layer):
            return "state"
        return "window" if self.n_window and self._has_window(layer) else "full"

    @property
    def _is_nemotron(self) -> bool:
        return self._architecture.startswith("nemotron_h")

    def _is_shared(self, layer: int) -> bool:
        """Whether a layer uses the keys and values of an earlier one."""
        if self._architecture == "gemma3n":
            return layer >= 20
        n_shared = self._number("attention.shared_kv_layers")
        return self._architecture == "gemma4" and layer >= self.n_layers - n_shared

    def _keeps_state(self, layer: int) -> bool:
        if "attention.recurrent_layers" in self._keys():
            return bool(self._of_layer("attention.recurrent_layers", layer, 0))
        period = self._number("full_attention_interval") or _STATE_PERIODS.get(self._architecture, 0)
        if period and self._architecture in _STATE_PERIODS:
            return (layer + 1) % period != 0
        n_heads_kv = self._of_layer("attention.head_count_kv", layer, self._n_heads)
        return self.n_state_values > 0 and n_heads_kv == 0

    def _has_window(self, layer: int) -> bool:
        value = self._header.metadata.get(f"{self._architecture}.attention.sliding_window_pattern")
        if isinstance(value, tuple):
            return bool(self._of_layer("attention.sliding_window_pattern", layer, 0))
        if self._architecture not in _WINDOW_PERIODS and not isinstance(value, int):
            return False
        period, is_full_first = _WINDOW_PERIODS.get(self._architecture, (0, False))
        if isinstance(value, int):
            period = value
        if period == 0:
            return True
        return layer % period != 0 if is_full_first else layer % period < period - 1

    def n_key_values(self, layer: int) -> int:
        """Numbers that a cell keeps of its key."""
        if self._latent:
            return self._latent
        width = self._key_width
        if self.kind(layer) == "window":
            width = self._number("attention.key_length_swa") or width
        return self._of_layer("attention.head_count_kv", layer, self._n_heads) * width

    def n_values(self, layer: int) -> int:
        """Numbers that a cell keeps of its value; none with latent attention, which makes it from the key."""
        if self._latent:
            return 0
        width = self._value_width
        if self.kind(layer) == "window":
            width = self._number("attention.value_length_swa") or width
        return self._of_layer("attention.head_count_kv", layer, self._n_heads) * width

    @property
    def n_state_values(self) -> int:
        """Numbers of one sequence's state in one layer."""
        return self._n_convolution_values + self._n_memory_values

    @property
    def _n_convolution_values(self) -> int:
        if n_short := self._number("shortconv.l_cache"):
            return self._number("embedding_length") * (n_short - 1)
        n_steps = self._number("ssm.conv_kernel")
        if head := self._number("kda.head_dim"):
            return 3 * (n_steps - 1 if n_steps else 3) * self._n_heads * head
        inner, groups = self._number("ssm.inner_size"), self._number("ssm.group_count")
        return (n_steps - 1 if n_steps else 0) * (inner + 2 * groups * self._number("ssm.state_size"))

    @property
    def _n_memory_values(self) -> int:
        if self._number("shortconv.l_cache"):
            return 0
        if head := self._number("kda.head_dim"):
            return head * head * self._n_heads
        return self._number("ssm.state_size") * self._number("ssm.inner_size")
