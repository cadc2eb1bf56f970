"""Where a model's memory is, read from what llama.cpp logs while it loads: it tells it nowhere else.

    load_tensors: layer   3 assigned to device CUDA0, is_swa = 0
    load_tensors:   CPU_Mapped model buffer size =   424.31 MiB
    llama_kv_cache: layer   3: dev = CUDA0
    llama_kv_cache: size =   90.00 MiB (  4096 cells,  30 layers,  4/1 seqs), K (f16): ...
    llama_memory_recurrent:        CPU RS buffer size =     0.19 MiB
    llama_context:        CPU  output buffer size =     0.75 MiB
    sched_reserve:        CPU compute buffer size =    26.51 MiB
    llama_adapter_lora_init_impl:        CPU LoRA buffer size =     0.02 MiB
    clip_ctx: CLIP using CPU backend
    reserve_compute_meta:        CPU compute buffer size =    12.10 MiB

The sizes have two decimals, so each is right to 5 KiB.
Source: llama.cpp@0c1e57098 src/llama-model.cpp, llama-kv-cache.cpp, llama-memory-recurrent.cpp,
llama-context.cpp, llama-adapter.cpp; tools/mtmd/clip.cpp.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final

from model_manager.tensor_patterns import MAIN_MEMORY
from model_manager.types import DeviceMemory

_MIB: Final = 2**20
_REPACKED: Final = "_REPACK"
_MAPPED: Final = "_Mapped"

_LAYER = re.compile(r"^load_tensors: layer +(\d+) assigned to device ([^,]+),")
_UNUSED = re.compile(r"^model has unused tensor (\S+) \(size = ")
_BUFFER = re.compile(r"^\S+: +(\S+) +(model|KV|RS|output|compute|LoRA) buffer size = +([\d.]+) MiB")
_TOWER = re.compile(r"^\S+: CLIP using (\S+) backend")
_KV_LAYER = re.compile(r"^\S*kv_cache\S*: layer +\d+: dev = (\S+)")
_KV_SIZE = re.compile(r"^\S*kv_cache\S*: size = +([\d.]+) MiB \( *\d+ cells, +(\d+) layers")


@dataclass(slots=True)
class LoadReport:
    """What the lines of one load said.

    Attributes:
        layers: Number of a layer to its device; the output counts as one more.
        model: Buffer to bytes of weights; zeros where nothing was allocated.
        kv: Device to bytes of keys and values.
        state, output, compute, adapters: Buffer to bytes.
        unused: Names of tensors that are not loaded.
    """

    layers: dict[int, str] = field(default_factory=dict)
    model: Counter[str] = field(default_factory=Counter)
    kv: Counter[str] = field(default_factory=Counter)
    state: Counter[str] = field(default_factory=Counter)
    output: Counter[str] = field(default_factory=Counter)
    compute: Counter[str] = field(default_factory=Counter)
    adapters: Counter[str] = field(default_factory=Counter)
    unused: set[str] = field(default_factory=set)

    @property
    def is_repacked(self) -> bool:
        """Whether the processor rearranged any weights."""
        return any(name.endswith(_REPACKED) for name in self.model)


def read_log(lines: Iterable[str]) -> LoadReport:
    """Gather what the lines of one load, in their order, say about memory."""
    report = LoadReport()
    by_kind = {
        "model": report.model,
        "RS": report.state,
        "output": report.output,
        "LoRA": report.adapters,
    }
    kv_layers: Counter[str] = Counter()
    for line in lines:
        if match := _BUFFER.search(line):
            name, kind, size = match[1], match[2], round(float(match[3]) * _MIB)
            if kind == "compute":
                report.compute[name] = size  # reserved again and again; the last is what stays
            elif kind != "KV":  # 0 where nothing was allocated; the size line is right
                by_kind[kind][name] += size
        elif match := _LAYER.search(line):
            report.layers[int(match[1])] = match[2]
        elif match := _UNUSED.search(line):
            report.unused.add(match[1])
        elif match := _KV_LAYER.search(line):
            kv_layers[match[1]] += 1
        elif match := _KV_SIZE.search(line):
            _share(report.kv, kv_layers, round(float(match[1]) * _MIB))
            kv_layers = Counter()
    return report


def _share(kv: Counter[str], layers: Counter[str], size_bytes: int) -> None:
    """Layers of one cache are of one size, but for a few odd models whose devices are then a little off."""
    n_layers = layers.total()
    if not n_layers:
        kv[MAIN_MEMORY] += size_bytes
    for device, count in layers.items():
        kv[device] += size_bytes * count // n_layers


def device_memory(report: LoadReport, buffer_names: Mapping[str, str]) -> tuple[DeviceMemory, ...]:
    """What a finished load took, a device each, the main memory first.

    Args:
        report: Of the load.
        buffer_names: Name of each device to that of its buffers, which is how devices are called here.
    """
    found: dict[str, DeviceMemory] = {MAIN_MEMORY: DeviceMemory(MAIN_MEMORY)}

    def add(name: str, kind: str, size_bytes: int) -> None:
        device = device_of(name, buffer_names)
        before = found.setdefault(device, DeviceMemory(device))
        changed = {f"{kind}_bytes": getattr(before, f"{kind}_bytes") + size_bytes}
        if kind == "weights" and name.endswith(_MAPPED):
            changed["mapped_bytes"] = before.mapped_bytes + size_bytes
        found[device] = replace(before, **changed)

    for kind, sizes in (
        ("weights", report.model),
        ("kv", report.kv),
        ("state", report.state),
        ("compute", report.compute),
        ("output", report.output),
        ("adapter", report.adapters),
    ):
        for name, size_bytes in sizes.items():
            add(name, kind, size_bytes)
    return tuple(found.values())


def tower_memory(
    lines: Iterable[str], weights_bytes: int, buffer_names: Mapping[str, str]
) -> tuple[DeviceMemory, ...]:
    """What a vision tower took, from the lines of its load.

    Args:
        lines: In their order. One that hears as well makes itself known twice.
        weights_bytes: Of its file.
        buffer_names: As in `device_memory`.
    """
    taken: Counter[str] = Counter()
    computing: dict[str, int] = {}
    home = MAIN_MEMORY
    for line in lines:
        if match := _TOWER.search(line):
            home = device_of(match[1], buffer_names)
            taken.update(computing)
            computing = {}
        elif (match := _BUFFER.search(line)) and match[2] == "compute":
            computing[device_of(match[1], buffer_names)] = round(float(match[3]) * _MIB)
    taken.update(computing)
    taken[home] += weights_bytes
    return tuple(DeviceMemory(device, vision_bytes=size_bytes) for device, size_bytes in taken.items())


def added(*parts: Sequence[DeviceMemory]) -> tuple[DeviceMemory, ...]:
    """What several things take together, device by device."""
    found: dict[str, DeviceMemory] = {}
    names = [field.name for field in fields(DeviceMemory) if field.name != "device"]
    for more in (device for part in parts for device in part):
        before = found.get(more.device, DeviceMemory(more.device))
        sums = {name: getattr(before, name) + getattr(more, name) for name in names}
        found[more.device] = replace(before, **sums)
    return tuple(found.values())


def device_of(name: str, buffer_names: Mapping[str, str]) -> str:
    """The device that a buffer or device of this name belongs to; buffers for it in main memory do not."""
    if name in buffer_names:
        return buffer_names[name]
    if name.startswith(MAIN_MEMORY) or name.endswith("_Host"):
        return MAIN_MEMORY
    return name.removesuffix(_MAPPED)
