"""Where a model lies in memory; imported from `model_manager.types`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

KvType = Literal["f16", "q8_0", "q4_0"]
LoadMode = Literal["auto", "none", "mmap", "mlock"]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter and how strongly it counts.

    Attributes:
        scale: 1.0 is what it was trained for; 0.0 keeps it loaded and without effect.
    """

    path: Path
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """What a model and its context take on one device.

    Attributes:
        device: ggml's name of it: "CPU" is the main memory, "CUDA0", "RPC0[127.0.0.1:50052]".
        weights_bytes: Of tensors, adapters not counted.
        mapped_bytes: Those of `weights_bytes` that are pages of the file, which the system can take back.
        kv_bytes: Keys and values of the context.
        state_bytes: Recurrent state; does not depend on the context's length.
        compute_bytes: Intermediate results.
        output_bytes: Logits.
        adapter_bytes: LoRA adapters.
        vision_bytes: The vision tower: its weights, and intermediate results for an image.
        spare_bytes: Pages of the file that were read to copy what is in them elsewhere; nothing needs them
            now. They are resident until the system wants them, and not in `total_bytes`.
    """

    device: str
    weights_bytes: int = 0
    mapped_bytes: int = 0
    kv_bytes: int = 0
    state_bytes: int = 0
    compute_bytes: int = 0
    output_bytes: int = 0
    adapter_bytes: int = 0
    vision_bytes: int = 0
    spare_bytes: int = 0

    @property
    def peak_bytes(self) -> int:
        """What the system shows as resident at most."""
        return self.total_bytes + self.spare_bytes

    @property
    def total_bytes(self) -> int:
        """All that is needed."""
        return self.weights_bytes + self.context_bytes + self.adapter_bytes + self.vision_bytes

    @property
    def context_bytes(self) -> int:
        """All but the weights."""
        return self.kv_bytes + self.state_bytes + self.compute_bytes + self.output_bytes


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a loaded model lies and how it computes.

    Attributes:
        memory: Measured, the main memory first.
        own_bytes: What the worker's process itself held before it loaded anything.
        n_layers_offloaded: Of the model's layers and its output; 0 where everything is on the processor.
        n_cpu_expert_layers: Layers on a device whose experts are in main memory; all of them count.
        n_experts_used_trained: What the file says; differs from the info's where the plan wanted others, and
            then the quality is another.
    """

    memory: tuple[DeviceMemory, ...] = ()
    own_bytes: int = 0
    n_layers_offloaded: int = 0
    n_cpu_expert_layers: int = 0
    cache_type_k: KvType = "f16"
    cache_type_v: KvType = "f16"
    load_mode: LoadMode = "auto"
    use_repack: bool = True
    n_experts_used_trained: int = 0
    adapters: tuple[Adapter, ...] = ()
    rpc_devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What loading a model would take, computed by llama.cpp without the weights.

    Attributes:
        n_ctx_tokens: Of the context that was forecast.
        memory: A device each, the main memory first.
        free_bytes: Of each device of `memory`, in its order, when it was looked at.
        n_layers_offloaded: As `Placement.n_layers_offloaded`.
        is_repacked: The processor would rearrange weights, so that they are no pages of the file.
    """

    n_ctx_tokens: int
    n_ctx_train_tokens: int
    memory: tuple[DeviceMemory, ...]
    free_bytes: tuple[int, ...]
    n_layers_offloaded: int
    is_repacked: bool
