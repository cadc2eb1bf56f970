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
from typing import Final

from model_manager.anatomy import Anatomy, anatomy_of
from model_manager.fit_places import Split, Spread
from model_manager.fit_types import (
    PROCESS_BYTES,
    TIGHT_SHARE,
    FitPlan,
    Machine,
    MemoryParts,
    Places,
    Verdict,
)
from model_manager.gguf import GgufHeader
from model_manager.kv_cache import ContextSize, cache_bytes, mask_cells
from model_manager.shards import GgufModel
from model_manager.speed import TokenReads

N_OUTPUTS: Final = 4
_FLOAT_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer.

    Attributes:
        memory: All that it takes, the copies that a graphics card needs included.
        paged_bytes: What finds no room in main memory: if the verdict is "pages", it would be read from the
            disk again and again; 0 where everything fits.
        fits_ctx_tokens: The longest context that would fit; 0 where not even the shortest does.
    """

    anatomy: Anatomy
    memory: MemoryParts
    plan: FitPlan
    places: Places
    verdict: Verdict
    paged_bytes: int
    fits_ctx_tokens: int

    @property
    def token_reads(self) -> TokenReads:
        """What is read for a token in the middle of a conversation.

        Every expert is as likely as another to be the one that is on the disk: caching helps no one for long.
        """
        used_share = self.anatomy.used_share
        reads = [
            part.attention_bytes + part.experts_bytes * used_share + part.kv_bytes / 2
            for part in (self.places.ram, self.places.device)
        ]
        reads[1 if self.plan.n_gpu_layers else 0] += self.anatomy.output_bytes
        return TokenReads(reads[0], reads[1], self.places.paged_bytes * used_share)


def fit(model: GgufModel, machine: Machine, context: ContextSize, memory: MemoryParts | None = None) -> Fit:
    """Judge a model for a machine and a context.

    Args:
        model: Its headers.
        machine: What is free.
        context: That it shall have.
        memory: What it takes, where somebody knows better than the formulas.
    """
    anatomy = anatomy_of(model)
    split, places = _placed(model, anatomy, machine, context, memory)
    verdict, over_bytes = _verdict(places, machine)
    if verdict == "pages":
        on_disk = min(over_bytes, places.ram.experts_bytes)
        ram = replace(places.ram, experts_bytes=places.ram.experts_bytes - on_disk)
        places = Places(places.device, ram, on_disk)
    plan = FitPlan(
        context.n_ctx_tokens,
        context.cache_type_k,
        split.n_gpu_layers,
        split.n_cpu_expert_layers,
        context.n_ubatch_tokens,
        split.reason,
    )
    whole, longest = places.whole, _longest(model, anatomy, machine, context)
    return Fit(anatomy, whole, plan, places, verdict, over_bytes, longest)


def _placed(
    model: GgufModel,
    anatomy: Anatomy,
    machine: Machine,
    context: ContextSize,
    memory: MemoryParts | None = None,
) -> tuple[Split, Places]:
    cache = cache_bytes(model.header, context)
    spread = Spread(anatomy, memory or memory_of(model, anatomy, context), cache)
    split = spread.best(machine.vram_bytes)
    return split, spread.places(split)


def _verdict(places: Places, machine: Machine) -> tuple[Verdict, int]:
    """And by how much main memory is too small; graphics cards are never given more than they have."""
    needed_bytes, free_bytes = places.ram.total_bytes, machine.ram_bytes
    over_bytes = max(0, needed_bytes - free_bytes)
    if over_bytes:
        hard_bytes = needed_bytes - places.ram.experts_bytes  # experts that rest can stay on the disk
        can_page = places.ram.experts_bytes > 0 and hard_bytes < free_bytes * TIGHT_SHARE
        return ("pages" if can_page else "does_not_fit"), over_bytes
    return ("tight" if needed_bytes > free_bytes * TIGHT_SHARE else "fits"), 0


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
        + model.vision_bytes
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


def _longest(model: GgufModel, anatomy: Anatomy, machine: Machine, context: ContextSize) -> int:
    """By halving, in steps of 256 tokens."""
    low, high = 0, max(256, model.header.n_ctx_train_tokens or 8192) // 256
    while low < high:
        middle = (low + high + 1) // 2
        asked = replace(context, n_ctx_tokens=middle * 256)
        _split, places = _placed(model, anatomy, machine, asked)
        if places.ram.total_bytes <= machine.ram_bytes:
            low = middle
        else:
            high = middle - 1
    return low * 256
