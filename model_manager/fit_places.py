"""Which layers go to the graphics card, and where a model's memory lies then: counted layer by layer.

First all of it; else the experts of as many of the last layers as find room beside everything that each token
reads; else the last layers alone, of a mixture without their experts.
Source: llama.cpp@0c1e57098 src/llama-model.cpp (`load_tensors`: the last layers go to the card, the output
first of all; the table of tokens stays with the processor, and is copied where it also makes the logits),
src/llama-kv-cache.cpp (keys and values lie with their layer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate

from model_manager.anatomy import Anatomy
from model_manager.fit_types import (
    ALL_ON_DEVICE,
    DEVICE_RESERVE_BYTES,
    PROCESS_BYTES,
    MemoryParts,
    Places,
)
from model_manager.kv_cache import CacheBytes
from model_manager.types import ALL_LAYERS


@dataclass(frozen=True, slots=True)
class Split:
    """Which layers go where; `reason` and numbers as in `FitPlan`."""

    reason: str
    n_gpu_layers: int = 0
    n_cpu_expert_layers: int = 0


class Spread:
    """How a model's memory is spread over its layers."""

    def __init__(self, anatomy: Anatomy, memory: MemoryParts, cache: CacheBytes) -> None:
        self.memory = memory
        self._anatomy = anatomy
        self._n_layers = len(anatomy.layers)
        self._shared = _sums_to_the_end([layer.shared_bytes for layer in anatomy.layers])
        self._experts = _sums_to_the_end([layer.experts_bytes for layer in anatomy.layers])
        self._cache = _sums_to_the_end([*cache.by_layer, *[0] * self._n_layers][: self._n_layers])

    def best(self, vram_bytes: int) -> Split:
        """What goes to cards with so much free memory."""
        room = vram_bytes - DEVICE_RESERVE_BYTES
        for split in self._splits():
            if self.device(split).total_bytes <= room:
                return split
        return Split("no_device")

    def _splits(self) -> Sequence[Split]:
        """The better ones first."""
        n_layers, has_experts = self._n_layers, self._experts[0] > 0
        splits = [Split("all_on_device", ALL_ON_DEVICE)]
        if has_experts:
            splits += [
                Split("experts_in_ram", ALL_ON_DEVICE, n if self._experts[n] else ALL_LAYERS)
                for n in range(1, n_layers + 1)
            ]
        n_cpu_expert_layers = ALL_LAYERS if has_experts else 0
        splits += [Split("layers_split", n, n_cpu_expert_layers) for n in range(n_layers, 1, -1)]
        return splits

    def device(self, split: Split) -> MemoryParts:
        """What lies on the cards."""
        if not split.n_gpu_layers:
            return MemoryParts(0, 0, 0, 0, 0)
        n_layers, memory, anatomy = self._n_layers, self.memory, self._anatomy
        # The output counts as one of the layers, the last one.
        first = max(0, n_layers + 1 - split.n_gpu_layers)
        first_experts = n_layers
        if split.n_cpu_expert_layers != ALL_LAYERS:
            first_experts = min(n_layers, max(first, split.n_cpu_expert_layers))
        host_bytes = min(memory.other_bytes, PROCESS_BYTES + anatomy.input_bytes)
        return MemoryParts(
            attention_bytes=min(
                memory.attention_bytes, anatomy.shared_bytes - self._shared[0] + self._shared[first]
            ),
            experts_bytes=self._experts[first_experts],
            kv_bytes=_share(memory.kv_bytes, self._cache[first], self._cache[0]),
            compute_bytes=memory.compute_bytes,
            other_bytes=memory.other_bytes - host_bytes + self._copied_bytes(split),
        )

    def places(self, split: Split) -> Places:
        """Where all of it lies; nothing is paged from the disk yet."""
        device = self.device(split)
        parts, there = asdict(self.memory), asdict(device)
        parts |= {"other_bytes": self.memory.other_bytes + self._copied_bytes(split)}
        return Places(device, MemoryParts(**{part: size - there[part] for part, size in parts.items()}), 0)

    def _copied_bytes(self, split: Split) -> int:
        """Of the table of tokens, which makes the logits on the card, and stays in main memory, too."""
        return self._anatomy.output_bytes if self._anatomy.is_tied and split.n_gpu_layers else 0


def _sums_to_the_end(sizes: Sequence[int]) -> list[int]:
    """From each layer to the last one; 0 behind that."""
    return list(accumulate(reversed(sizes), initial=0))[::-1]


def _share(whole: int, part: int, of: int) -> int:
    return whole * part // of if of else whole
