"""A load plan's placement in the words of llama.cpp's parameters.

Everything that can be wrong with a plan is found here, from the file's header, before anything is loaded.
Source: llama.cpp@0c1e57098 common/common.h (patterns of --cpu-moe), src/llama-model-loader.cpp (the first
match of `std::regex_search` wins), include/llama.h (load modes).
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llama_cpp import llama_cpp as native

from model_manager.engine.llama import hardware
from model_manager.engine.llama.hardware import NativeDevice
from model_manager.errors import BadExpertCount, BadOverride, UnknownDevice
from model_manager.shards import GgufModel
from model_manager.types import ALL_LAYERS, LoadPlan

EXPERTS: Final = r"ffn_(up|down|gate|gate_up)_(ch|)exps"
_LOAD_MODES: Final = {
    "auto": native.LLAMA_LOAD_MODE_AUTO,
    "none": native.LLAMA_LOAD_MODE_NONE,
    "mmap": native.LLAMA_LOAD_MODE_MMAP,
    "mlock": native.LLAMA_LOAD_MODE_MLOCK,
}
# What Python's expressions have and std::regex's do not; the rest means the same in both.
_PYTHON_ONLY: Final = re.compile(r"\(\?(?![:=!])|\\[AZ]")
# What `ggml_type` calls the numbers of `KvType`.
KV_TYPES: Final[Mapping[str, int]] = {"f16": 1, "q8_0": 8, "q4_0": 2}


class _Override(ctypes.Structure):
    _fields_ = [("pattern", ctypes.c_char_p), ("buffer_type", ctypes.c_void_p)]


@dataclass(frozen=True, slots=True)
class PlacedParams:
    """Parameters of a load, and what their pointers point to: keep it until the load returns."""

    native: native.llama_model_params
    _alive: tuple[Any, ...]


def model_params(plan: LoadPlan, read_model: Callable[[], GgufModel]) -> PlacedParams:
    """What to load a model with.

    Args:
        plan: What is wanted.
        read_model: Reads the headers of its files; called only if the plan cannot be checked without.

    Raises:
        BadOverride, UnknownDevice, BadExpertCount: The plan does not fit the model or the machine.
        RpcUnreachable: A device of the plan does not answer.
    """
    remote = [device for endpoint in plan.rpc_devices for device in hardware.add_rpc(endpoint)]
    local = hardware.devices()
    known = {device.name: device for device in (*local, *remote)}
    params: Any = native.llama_model_default_params()
    params.n_gpu_layers = plan.n_gpu_layers
    params.load_mode = _LOAD_MODES[plan.load_mode]
    params.use_extra_bufts = plan.use_repack
    alive: list[Any] = []
    if remote:
        # As llama.cpp orders them by itself: what is far away holds the first layers.
        own = [device for device in local if device.kind == "gpu"] or [d for d in local if d.kind == "igpu"]
        chosen = [*remote, *own]
        handles = (ctypes.c_void_p * (len(chosen) + 1))(*(device.handle for device in chosen), None)
        params.devices = ctypes.cast(handles, ctypes.c_void_p)
        alive.append(handles)
    overrides = _overrides(plan, read_model, known)
    if overrides:
        params.tensor_buft_overrides = ctypes.cast(overrides, ctypes.c_void_p)
        alive.append(overrides)
    values = _metadata(plan, read_model)
    if values is not None:
        params.kv_overrides = values
        alive.append(values)
    return PlacedParams(params, tuple(alive))


def expert_patterns(n_layers: int) -> list[str]:
    """Patterns of the experts of the first `n_layers` layers, or of all."""
    if n_layers == ALL_LAYERS:
        return [rf"\.{EXPERTS}"]
    return [rf"blk\.{layer}\.{EXPERTS}" for layer in range(n_layers)]


def check_pattern(pattern: str, tensor_names: Sequence[str]) -> None:
    """See that a pattern is one, and of something.

    Raises:
        BadOverride: It is not.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise BadOverride(pattern, str(error)) from error
    if not pattern or "\0" in pattern:
        raise BadOverride(pattern, "empty")
    if _PYTHON_ONLY.search(pattern):
        raise BadOverride(pattern, "look-behinds, flags and named groups are not supported")
    if not any(compiled.search(name) for name in tensor_names):
        raise BadOverride(pattern)


def _overrides(plan: LoadPlan, read_model: Callable[[], GgufModel], known: Mapping[str, NativeDevice]) -> Any:
    """The array of overrides with its empty end; None where there are none."""
    if not plan.tensor_overrides and not plan.n_cpu_expert_layers:
        return None
    model = read_model()
    names = [tensor.name for tensor in model.tensors()]
    found: list[tuple[str, int]] = []
    for pattern, device in plan.tensor_overrides:
        check_pattern(pattern, names)
        found.append((pattern, _buffer_type(device, known)))
    if plan.n_cpu_expert_layers:
        check_pattern(rf"\.{EXPERTS}", names)  # else the model has no experts at all
        main_memory = hardware.processor_buffer_type()
        n_layers = plan.n_cpu_expert_layers
        wanted = n_layers if n_layers == ALL_LAYERS else min(n_layers, model.header.n_layers)
        # On the processor alone they would change nothing but the log.
        if any(not device.is_processor for device in known.values()):
            found += [(pattern, main_memory) for pattern in expert_patterns(wanted)]
    if not found:
        return None
    rows = [_Override(pattern.encode(), buffer_type) for pattern, buffer_type in found]
    return (_Override * (len(rows) + 1))(*rows, _Override(None, None))


def _buffer_type(name: str, known: Mapping[str, NativeDevice]) -> int:
    for device in known.values():
        if name.casefold() in (device.name.casefold(), device.buffer_name.casefold()):
            return hardware.processor_buffer_type() if device.name == "CPU" else device.buffer_type
    raise UnknownDevice(name, ", ".join(known))


def _metadata(plan: LoadPlan, read_model: Callable[[], GgufModel]) -> Any:
    """The array of metadata overrides with its empty end; None where there are none."""
    if not plan.n_experts_used:
        return None
    header = read_model().header
    if not 1 <= plan.n_experts_used <= header.n_experts:
        raise BadExpertCount(plan.n_experts_used, header.n_experts)
    values: Any = (native.llama_model_kv_override * 2)()
    values[0].tag = native.LLAMA_KV_OVERRIDE_TYPE_INT
    values[0].key = f"{header.architecture}.expert_used_count".encode()
    values[0].value.val_i64 = plan.n_experts_used
    return values  # the second has an empty key, which is the end
