"""The native library of this process: its log and its backends."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import llama_cpp
from llama_cpp import llama_cpp as native, mtmd_cpp as mtmd

from model_manager.engine import backends
from model_manager.engine.native_log import NativeLog

native_log = NativeLog()
"""What llama.cpp said last; belongs to the thread that loads."""


def _write_log(level: int, text: bytes, _user_data: object) -> None:
    native_log.write(level, text.decode("utf-8", "replace"))


# Native code keeps the address, so the object must live as long as the process.
_on_native_log = native.llama_log_callback(_write_log)


@functools.cache
def start() -> None:
    """Route the log and register the backends, once a process."""
    native.llama_log_set(_on_native_log, ctypes.c_void_p(0))
    mtmd.mtmd_log_set(_on_native_log, ctypes.c_void_p(0))
    mtmd.mtmd_helper_log_set(_on_native_log, ctypes.c_void_p(0))
    native.llama_backend_init()
    backends.register(Path(llama_cpp.__file__).parent)


def system_info() -> str:
    """llama.cpp's line about the processor features and backends it was built with."""
    start()
    return bytes(native.llama_print_system_info()).decode()


def engine_name() -> str:
    """The versions of llama.cpp and of its binding."""
    return f"llama.cpp {native.llama_version().decode()} (llama-cpp-python {llama_cpp.__version__})"
