"""Where a model's memory lies when it is loaded as planned: graphics card, main memory, disk.

Source: llama.cpp@0c1e57098 src/llama-model.cpp (the table of tokens stays with the processor, the output goes
with the last layers), src/llama-kv-cache.cpp (keys and values lie with their layer).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from model_manager.fit import PROCESS_BYTES, Fit, FitPlan, MemoryParts
from model_manager.shards import GgufModel
from model_manager.types import ALL_LAYERS


@dataclass(frozen=True, slots=True)
class Places:
    """The parts of a bar.

    Attributes:
        device: On graphics cards.
        ram: In main memory, what is paged not counted.
        paged_bytes: Of experts that would be read from the disk again and again.
    """

    device: MemoryParts
    ram: MemoryParts
    paged_bytes: int


def places_of(model: GgufModel, found: Fit) -> Places:
    """Split what a judged model takes by where its plan puts it."""
    # The process and the table of tokens are the processor's, wherever the layers are.
    host_bytes = min(found.memory.other_bytes, PROCESS_BYTES + found.anatomy.input_bytes)
    paged_bytes = min(found.paged_bytes, found.memory.experts_bytes) if found.verdict == "pages" else 0
    return split(found.memory, found.plan, model.header.n_layers, paged_bytes, host_bytes)


def split(memory: MemoryParts, plan: FitPlan, n_layers: int, paged_bytes: int, host_bytes: int = 0) -> Places:
    """Split memory by where a plan puts it.

    Args:
        memory: All of it.
        plan: How the model would be loaded.
        n_layers: Of the model.
        paged_bytes: Of the experts, what would be read from the disk again and again.
        host_bytes: Of the rest, what stays in main memory under any plan.
    """
    layers, experts = _device_shares(plan, max(1, n_layers))
    device = MemoryParts(
        attention_bytes=int(memory.attention_bytes * layers),
        experts_bytes=int(memory.experts_bytes * experts),
        kv_bytes=int(memory.kv_bytes * layers),
        compute_bytes=int(memory.compute_bytes * layers),
        other_bytes=int((memory.other_bytes - host_bytes) * layers),
    )
    everything, there = asdict(memory), asdict(device)
    here = {part: n_bytes - there[part] for part, n_bytes in everything.items()}
    here["experts_bytes"] = max(0, here["experts_bytes"] - paged_bytes)
    return Places(device, MemoryParts(**here), paged_bytes)


def _device_shares(plan: FitPlan, n_layers: int) -> tuple[float, float]:
    """How much of the layers, and of their experts, lies on the graphics card."""
    if plan.reason == "no_device":
        return 0.0, 0.0
    if plan.reason == "experts_in_ram":
        n_in_ram = n_layers if plan.n_cpu_expert_layers == ALL_LAYERS else plan.n_cpu_expert_layers
        return 1.0, 1.0 - min(1.0, n_in_ram / n_layers)
    if plan.reason == "layers_split":
        share = min(1.0, plan.n_gpu_layers / n_layers)
        return share, share
    return 1.0, 1.0
