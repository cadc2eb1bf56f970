"""A load plan's placement in the words of llama.cpp's parameters.

Everything that can be wrong with a plan is found here, from the file's header, before anything is loaded.
Source: llama.cpp@0c1e57098 include/llama.h (load modes), ggml/include/ggml.h (number formats).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from llama_cpp import llama_cpp as native

from model_manager.engine.llama import hardware
from model_manager.engine.llama.hardware import NativeDevice
from model_manager.errors import UnknownDevice
from model_manager.shards import GgufModel
from model_manager.tensor_patterns import MAIN_MEMORY, check_plan, overrides_of
from model_manager.types import LoadPlan

_LOAD_MODES: Final = {
    "auto": native.LLAMA_LOAD_MODE_AUTO,
    "none": native.LLAMA_LOAD_MODE_NONE,
    "mmap": native.LLAMA_LOAD_MODE_MMAP,
    "mlock": native.LLAMA_LOAD_MODE_MLOCK,
}
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
    params.load_mtp = plan.speculation == "mtp"
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


def _overrides(plan: LoadPlan, read_model: Callable[[], GgufModel], known: Mapping[str, NativeDevice]) -> Any:
    """The array of overrides with its empty end; None where there are none."""
    if not plan.tensor_overrides and not plan.n_cpu_expert_layers:
        return None
    model = read_model()
    check_plan(plan, model)
    found = [
        (pattern, _buffer_type(device, known))
        for pattern, device in overrides_of(plan, model.header.n_layers)
    ]
    # On the processor alone overrides would change nothing but the log.
    if not found or all(device.is_processor for device in known.values()):
        return None
    rows = [_Override(pattern.encode(), buffer_type) for pattern, buffer_type in found]
    return (_Override * (len(rows) + 1))(*rows, _Override(None, None))


def _buffer_type(name: str, known: Mapping[str, NativeDevice]) -> int:
    for device in known.values():
        if name.casefold() in (device.name.casefold(), device.buffer_name.casefold()):
            return hardware.processor_buffer_type() if device.name == MAIN_MEMORY else device.buffer_type
    raise UnknownDevice(name, ", ".join(known))


def _metadata(plan: LoadPlan, read_model: Callable[[], GgufModel]) -> Any:
    """The array of metadata overrides with its empty end; None where there are none."""
    if not plan.n_experts_used:
        return None
    model = read_model()
    check_plan(plan, model)
    values: Any = (native.llama_model_kv_override * 2)()
    values[0].tag = native.LLAMA_KV_OVERRIDE_TYPE_INT
    values[0].key = f"{model.header.architecture}.expert_used_count".encode()
    values[0].value.val_i64 = plan.n_experts_used
    return values  # the second has an empty key, which is the end
