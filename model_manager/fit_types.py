"""The terms of whether a model fits: a machine, memory by what it is for, a plan, and where all lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from model_manager.types import KvType

Verdict = Literal["fits", "tight", "pages", "does_not_fit"]

TIGHT_SHARE: Final = 0.85
"""Of the free main memory: above, other programs feel it."""
DEVICE_RESERVE_BYTES: Final = 512 * 2**20
"""Left alone on a graphics card, for its driver and for what the screen needs."""
PROCESS_BYTES: Final = 90 * 2**20
"""A worker before it has loaded anything."""
ALL_ON_DEVICE: Final = 999
"""Layers for the graphics card, more than any model has."""


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
        other_bytes: Tables of tokens, logits, recurrent states, what lets it see, the process itself.
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
class Places:
    """Where a model's memory lies: the parts of a bar.

    Attributes:
        device: On graphics cards.
        ram: In main memory, what is paged not counted.
        paged_bytes: Of experts that would be read from the disk again and again.
    """

    device: MemoryParts
    ram: MemoryParts
    paged_bytes: int

    @property
    def whole(self) -> MemoryParts:
        """All of it together."""
        device, ram = self.device, self.ram
        return MemoryParts(
            attention_bytes=device.attention_bytes + ram.attention_bytes,
            experts_bytes=device.experts_bytes + ram.experts_bytes + self.paged_bytes,
            kv_bytes=device.kv_bytes + ram.kv_bytes,
            compute_bytes=device.compute_bytes + ram.compute_bytes,
            other_bytes=device.other_bytes + ram.other_bytes,
        )
