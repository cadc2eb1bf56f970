"""Whether a model fits a machine, and how it is loaded there best: from headers alone.

    memory   what weights, context and intermediate results take
    plan     what stays on the graphics card, what in main memory
    verdict  fits, tight, pages from the disk, does not fit

Everything is a pure function of the model, the machine and the wishes. After a download the probe's exact
figure takes the place of `memory`.
Source of the computing buffer: measured with llama.cpp@0c1e57098 without allocation, for shapes of 0.6B to
671B parameters; `tests/integration/test_fit.py` compares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from model_manager.anatomy import Anatomy, anatomy_of
from model_manager.gguf import GgufHeader
from model_manager.kv_cache import ContextSize, cache_bytes, mask_cells
from model_manager.shards import GgufModel
from model_manager.types import ALL_LAYERS, KvType

Verdict = Literal["fits", "tight", "pages", "does_not_fit"]

N_OUTPUTS: Final = 4
TIGHT_SHARE: Final = 0.85
"""Of the free memory: above, other programs feel it."""
DEVICE_RESERVE_BYTES: Final = 512 * 2**20
"""Left alone on a graphics card, for its driver and for what the screen needs."""
PROCESS_BYTES: Final = 90 * 2**20
"""A worker before it has loaded anything."""
_FLOAT_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Machine:
    """What is free for a model.

    Attributes:
        ram_bytes: Main memory that can be taken: what other programs and loaded models use is off already.
        vram_bytes: Of all graphics cards together, likewise; 0 without one.
        ram_total_bytes: All main memory there is; 0 where nobody knows.
        loaded: Names of loaded models, each with the main memory that it keeps.
    """

    ram_bytes: int
    vram_bytes: int = 0
    ram_total_bytes: int = 0
    loaded: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class MemoryParts:
    """What a loaded model takes, by what it is for.

    Attributes:
        attention_bytes: Weights that every token reads: attention, shared experts, routers, norms.
        other_bytes: Tables of tokens, logits, recurrent states, the process itself.
    """

    attention_bytes: int
    experts_bytes: int
    kv_bytes: int
    compute_bytes: int
    other_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return (
            self.attention_bytes + self.experts_bytes + self.kv_bytes + self.compute_bytes + self.other_bytes
        )


@dataclass(frozen=True, slots=True)
class FitPlan:
    """How it is loaded best; the names are those of `LoadPlan`.

    Attributes:
        n_cpu_expert_layers: Layers whose experts stay in main memory; `ALL_LAYERS` for all.
        reason: Why, as one of "all_on_device", "experts_in_ram", "no_device", "layers_split".
    """

    n_ctx_tokens: int
    cache_type: KvType
    n_gpu_layers: int
    n_cpu_expert_layers: int
    n_batch_tokens: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer.

    Attributes:
        paged_bytes: What would have to be read from the disk again and again; 0 where everything fits.
        fits_ctx_tokens: The longest context that would fit; 0 where not even the shortest does.
    """

    anatomy: Anatomy
    memory: MemoryParts
    plan: FitPlan
    verdict: Verdict
    paged_bytes: int
    fits_ctx_tokens: int


def fit(model: GgufModel, machine: Machine, context: ContextSize, memory: MemoryParts | None = None) -> Fit:
    """Judge a model for a machine and a context.

    Args:
        model: Its headers.
        machine: What is free.
        context: That it shall have.
        memory: What it takes, where somebody knows better than the formulas.
    """
    anatomy = anatomy_of(model)
    memory = memory or memory_of(model, anatomy, context)
    plan = _plan(model, anatomy, memory, machine, context)
    room = machine.ram_bytes + max(0, machine.vram_bytes - DEVICE_RESERVE_BYTES)
    over = memory.total_bytes - room
    hard = memory.total_bytes - memory.experts_bytes  # experts that rest can stay on the disk
    verdict: Verdict = "fits"
    if over > 0:
        can_page = bool(anatomy.experts_bytes) and hard < room * TIGHT_SHARE
        verdict = "pages" if can_page else "does_not_fit"
    elif memory.total_bytes > room * TIGHT_SHARE:
        verdict = "tight"
    return Fit(anatomy, memory, plan, verdict, max(0, over), _longest(model, anatomy, room, context))


def memory_of(model: GgufModel, anatomy: Anatomy, context: ContextSize) -> MemoryParts:
    """What a model with this context takes."""
    cache = cache_bytes(model.header, context)
    n_vocab = _n_vocab(model)
    return MemoryParts(
        attention_bytes=anatomy.shared_bytes,
        experts_bytes=anatomy.experts_bytes,
        kv_bytes=cache.kv_bytes,
        compute_bytes=_compute_bytes(model, context),
        other_bytes=anatomy.size_bytes
        - anatomy.shared_bytes
        - anatomy.experts_bytes
        + cache.state_bytes
        + n_vocab * _FLOAT_BYTES * context.n_parallel
        + PROCESS_BYTES,
    )


def _compute_bytes(model: GgufModel, context: ContextSize) -> int:
    header = model.header
    width = header.hyperparameter("embedding_length")
    n_used = header.n_experts_used if header.n_experts else 0
    inner = header.hyperparameter("feed_forward_length")
    if n_used:
        inner = n_used * (header.hyperparameter("expert_feed_forward_length") or inner)
    widest = max(3 * inner + 4 * width, 2 * n_used * width + inner + 3 * width, _latent_width(header))
    mask_bytes = 2 * context.n_ubatch_tokens * mask_cells(header, context)
    outputs_bytes = N_OUTPUTS * _n_vocab(model) * _FLOAT_BYTES
    return _FLOAT_BYTES * context.n_ubatch_tokens * widest + mask_bytes + outputs_bytes


def _latent_width(header: GgufHeader) -> int:
    """Of what multi-head latent attention computes with; 0 for any other kind."""
    key_mla = header.hyperparameter("attention.key_length_mla")
    if not key_mla:
        return 0
    key, value = (header.hyperparameter(f"attention.{name}_length") for name in ("key", "value"))
    n_heads, width = (header.hyperparameter(name) for name in ("attention.head_count", "embedding_length"))
    return n_heads * (3 * key - value + key_mla) + 4 * width


def _n_vocab(model: GgufModel) -> int:
    table = next((tensor for tensor in model.tensors() if tensor.name == "token_embd.weight"), None)
    return table.shape[1] if table is not None and len(table.shape) > 1 else 0


def _longest(model: GgufModel, anatomy: Anatomy, room: int, context: ContextSize) -> int:
    """By halving, in steps of 256 tokens."""
    low, high = 0, max(256, model.header.n_ctx_train_tokens or 8192) // 256
    while low < high:
        middle = (low + high + 1) // 2
        asked = replace(context, n_ctx_tokens=middle * 256)
        if memory_of(model, anatomy, asked).total_bytes <= room:
            low = middle
        else:
            high = middle - 1
    return low * 256


def _plan(
    model: GgufModel, anatomy: Anatomy, memory: MemoryParts, machine: Machine, context: ContextSize
) -> FitPlan:
    """What goes where: the parts that every token reads first, then as many layers' experts as fit."""
    n_layers = max(1, model.header.n_layers)
    room = machine.vram_bytes - DEVICE_RESERVE_BYTES
    base = FitPlan(context.n_ctx_tokens, context.cache_type_k, 0, 0, context.n_ubatch_tokens, "no_device")
    if room <= 0:
        return base
    if memory.total_bytes <= room:
        return replace(base, n_gpu_layers=999, reason="all_on_device")
    always = memory.total_bytes - memory.experts_bytes
    if anatomy.experts_bytes and always <= room:
        per_layer = memory.experts_bytes / n_layers
        n_on_device = int((room - always) / per_layer) if per_layer else n_layers
        n_in_ram = max(0, n_layers - n_on_device)
        wanted = ALL_LAYERS if n_in_ram == n_layers else n_in_ram
        return replace(base, n_gpu_layers=999, n_cpu_expert_layers=wanted, reason="experts_in_ram")
    share = room / memory.total_bytes
    return replace(base, n_gpu_layers=int(n_layers * share), reason="layers_split")
