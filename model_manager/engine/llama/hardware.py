"""What this process can compute on: the processor, its graphics cards, other machines by RPC.

Source: ggml/include/ggml-backend.h, ggml/include/ggml-rpc.h (llama.cpp@0c1e57098).
"""

from __future__ import annotations

import ctypes
import functools
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import llama_cpp

from model_manager.engine import backends
from model_manager.engine.llama import library
from model_manager.errors import RpcUnreachable

_KINDS: Final = ("cpu", "gpu", "igpu", "accel")
_CONNECT_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class NativeDevice:
    """One device of ggml.

    Attributes:
        handle: `ggml_backend_dev_t`.
        name: Such as "CPU", "CUDA0", "RPC0".
        buffer_type: `ggml_backend_buffer_type_t` of its memory.
        buffer_name: Of that; "RPC0[127.0.0.1:50052]" tells more than the name.
        kind: "cpu", "gpu", "igpu" or "accel"; of RPC devices always "gpu".
    """

    handle: int
    name: str
    buffer_type: int
    buffer_name: str
    kind: str

    @property
    def is_processor(self) -> bool:
        """Whether it computes in main memory, so that models are not offloaded to it."""
        return self.kind in ("cpu", "accel")

    def memory(self) -> tuple[int, int]:
        """Free and total bytes; zeros where the backend does not tell."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        call(
            "ggml_backend_dev_memory",
            None,
            ctypes.c_void_p(self.handle),
            ctypes.byref(free),
            ctypes.byref(total),
        )
        return free.value, total.value


def devices() -> list[NativeDevice]:
    """All that are registered, those of `add_rpc` among them."""
    library.start()
    count = call("ggml_backend_dev_count", ctypes.c_size_t)
    return [_device(call("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t(i))) for i in range(count)]


def processor_buffer_type() -> int:
    """The plain main memory; overrides to it still let the processor rearrange weights."""
    return int(call("ggml_backend_cpu_buffer_type", ctypes.c_void_p))


def add_rpc(endpoint: str) -> list[NativeDevice]:
    """The devices of an RPC server; asked for again, the same ones.

    Args:
        endpoint: As "host:port"; an IPv4 address or a name.

    Raises:
        RpcUnreachable: Nothing listens there. llama.cpp would end the process, so we knock first.
    """
    host, _, port = endpoint.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), _CONNECT_TIMEOUT_S):
            pass
    except (OSError, ValueError, OverflowError) as error:
        raise RpcUnreachable(endpoint, str(error)) from error
    registry = _rpc("ggml_backend_rpc_add_server", ctypes.c_void_p, endpoint.encode())
    if not registry:
        raise RpcUnreachable(endpoint, "no devices")
    count = call("ggml_backend_reg_dev_count", ctypes.c_size_t, ctypes.c_void_p(registry))
    return [
        _device(
            call("ggml_backend_reg_dev_get", ctypes.c_void_p, ctypes.c_void_p(registry), ctypes.c_size_t(i))
        )
        for i in range(count)
    ]


def buffer_names(rpc_devices: Sequence[str] = ()) -> dict[str, str]:
    """Name of each device, and of its buffers, to the name by which we call it: that of its buffers."""
    found = [*devices(), *(device for endpoint in rpc_devices for device in add_rpc(endpoint))]
    return {name: device.buffer_name for device in found for name in (device.name, device.buffer_name)}


def serve_rpc(endpoint: str, n_threads: int) -> None:
    """Let others compute on this machine's processor; returns only if it cannot listen.

    The protocol has no authentication: whoever reaches the port can use it and read what is computed.
    """
    library.start()
    processor = next(device for device in devices() if device.name == "CPU")
    handles = (ctypes.c_void_p * 1)(processor.handle)
    _rpc(
        "ggml_backend_rpc_start_server",
        None,
        endpoint.encode(),
        None,
        ctypes.c_size_t(n_threads),
        ctypes.c_size_t(1),
        handles,
    )


def call(name: str, result: Any, *arguments: Any) -> Any:
    """Call a function of ggml, which of its two libraries ever has it."""
    function = next(getattr(lib, name) for lib in _libraries() if hasattr(lib, name))
    function.restype = result
    return function(*arguments)


def _rpc(name: str, result: Any, *arguments: Any) -> Any:
    try:
        function = getattr(backends.library(_package(), "ggml-rpc"), name)
    except OSError as error:
        raise RpcUnreachable("", "this build of llama.cpp has no RPC") from error
    function.restype = result
    return function(*arguments)


def _device(handle: int) -> NativeDevice:
    pointer = ctypes.c_void_p(handle)
    kind = call("ggml_backend_dev_type", ctypes.c_int, pointer)
    buffer_type = call("ggml_backend_dev_buffer_type", ctypes.c_void_p, pointer)
    return NativeDevice(
        handle=handle,
        name=call("ggml_backend_dev_name", ctypes.c_char_p, pointer).decode(),
        buffer_type=buffer_type,
        buffer_name=call("ggml_backend_buft_name", ctypes.c_char_p, ctypes.c_void_p(buffer_type)).decode(),
        kind=_KINDS[kind] if kind < len(_KINDS) else "other",
    )


def _package() -> Path:
    return Path(llama_cpp.__file__).parent


@functools.cache
def _libraries() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    return backends.library(_package(), "ggml"), backends.library(_package(), "ggml-base")
