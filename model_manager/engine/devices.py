"""What the build of llama.cpp can compute on, and which features of the processor it uses.

`main` prints it as JSON, in a process of its own (`coterie system-report`): a driver that ends the process
takes nobody with it.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_manager.engine.backends import library, register

# Source: ggml/include/ggml-backend.h, enum ggml_backend_dev_type.
_KINDS = ("cpu", "gpu", "igpu", "accel")
_CARD_BACKENDS = ("cuda", "vulkan", "metal", "hip", "sycl", "musa", "opencl", "cann", "webgpu")


@dataclass(frozen=True, slots=True)
class Device:
    """Something that computes, as ggml sees it.

    Attributes:
        kind: "cpu", "gpu", "igpu", "accel" or "other".
        free_bytes, total_bytes: Of its memory; 0 where the backend does not tell.
    """

    name: str
    description: str
    kind: str
    free_bytes: int
    total_bytes: int


def devices() -> list[Device]:
    """All devices of the installed binding; loads its libraries into this process."""
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    n_devices = register(package)
    ggml, base = library(package, "ggml"), library(package, "ggml-base")
    return [
        _device(base, _call(ggml, "ggml_backend_dev_get", ctypes.c_void_p, index))
        for index in range(n_devices)
    ]


def may_have_cards() -> bool:
    """Whether the build could use a graphics card; loads nothing, and is not sure of a build in one piece."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return False
    folder = Path(spec.origin).parent / "lib"
    names = [path.name for path in folder.glob("*ggml*")]
    is_in_pieces = any("ggml-cpu" in name for name in names)
    return not is_in_pieces or any(backend in name for name in names for backend in _CARD_BACKENDS)


def main() -> int:
    """Print `{"system_info": ..., "devices": [...]}`."""
    from model_manager.engine.llama.library import system_info  # loads the native library

    report = {"system_info": system_info(), "devices": [asdict(device) for device in devices()]}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


def _device(base: ctypes.CDLL, address: int) -> Device:
    handle = ctypes.c_void_p(address)
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _call(base, "ggml_backend_dev_memory", None, handle, ctypes.byref(free), ctypes.byref(total))
    kind = int(_call(base, "ggml_backend_dev_type", ctypes.c_int, handle))
    return Device(
        name=_call(base, "ggml_backend_dev_name", ctypes.c_char_p, handle).decode(),
        description=_call(base, "ggml_backend_dev_description", ctypes.c_char_p, handle).decode(),
        kind=_KINDS[kind] if kind < len(_KINDS) else "other",
        free_bytes=free.value,
        total_bytes=total.value,
    )


def _call(native: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(native, name)
    function.restype = result
    return function(*(ctypes.c_size_t(a) if isinstance(a, int) else a for a in arguments))
