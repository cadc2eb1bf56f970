"""Where a model lies and what its plan risks, in words; for the command line and the window."""

from __future__ import annotations

from collections.abc import Sequence

from model_manager.types import ALL_LAYERS, DeviceMemory, Placement
from ui import formats
from ui.i18n import tr


def device_name(device: str) -> str:
    """How people know a device."""
    return tr("main memory") if device == "CPU" else device


def layers(count: int) -> str:
    """A number of layers whose experts stay in main memory."""
    if count == ALL_LAYERS:
        return tr("all layers")
    return tr("none") if count == 0 else tr("the first {n} layers", n=count)


def memory_line(memory: DeviceMemory) -> str:
    """What one device holds: “main memory: 1.20 GB (weights 900 MB, context 300 MB)”."""
    return tr(
        "{device}: {total} (weights {weights}, context {context})",
        device=device_name(memory.device),
        total=formats.size(memory.total_bytes),
        weights=formats.size(memory.weights_bytes + memory.adapter_bytes + memory.vision_bytes),
        context=formats.size(memory.context_bytes),
    )


def summary(placement: Placement, n_layers: int) -> str:
    """A loaded model in one line, for a tool tip or a status line."""
    where = (
        tr("on the processor")
        if placement.n_layers_offloaded == 0
        else tr("{n} of {total} layers on devices", n=placement.n_layers_offloaded, total=n_layers + 1)
    )
    return "; ".join([where, *(memory_line(memory) for memory in placement.memory if memory.total_bytes)])


def warnings(n_experts_used: int, n_experts_used_trained: int, devices_elsewhere: Sequence[str]) -> list[str]:
    """What whoever set a plan should know, a sentence each.

    Args:
        n_experts_used: Active experts of the plan; 0 for the model's own.
        n_experts_used_trained: The model's own.
        devices_elsewhere: RPC devices that are not on this machine.
    """
    words = []
    if n_experts_used not in (0, n_experts_used_trained):
        words.append(
            tr(
                "The model was trained with {trained} active experts and runs with {used}: "
                "its answers will be of another quality.",
                trained=n_experts_used_trained,
                used=n_experts_used,
            )
        )
    if devices_elsewhere:
        words.append(
            tr(
                "{devices} gets everything that this model reads and writes, without encryption, and anybody "
                "on that network could answer in its place. Use it only on a network that you trust.",
                devices=", ".join(devices_elsewhere),
            )
        )
    return words
