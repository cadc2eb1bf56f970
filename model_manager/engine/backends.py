"""The ggml libraries beneath llama.cpp: which copy is in use, and which backends it knows. Only `ctypes`."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path


def register(package: Path) -> int:
    """Make sure that libllama finds its backends.

    A build that holds its backends registered them when it was loaded; one with loadable backends has none
    yet and looks for them beside the binding. The current folder, where ggml would look by itself, is never
    searched.

    Args:
        package: Folder of the installed binding.

    Returns:
        Number of devices, the processor included.
    """
    ggml, base = library(package, "ggml"), library(package, "ggml-base")
    count = (
        ggml.ggml_backend_dev_count
        if hasattr(ggml, "ggml_backend_dev_count")
        else base.ggml_backend_dev_count
    )
    count.restype = ctypes.c_size_t
    if count() == 0:
        for folder in (package / "lib", package.parent / "bin"):
            if folder.is_dir():
                ggml.ggml_backend_load_all_from_path(str(folder).encode())
    return int(count())


def library(package: Path, name: str) -> ctypes.CDLL:
    """The copy of a ggml library that libllama itself is linked to.

    The wheel holds each library three times, as copies. Only the name with the major version is the one in
    use; any other brings a second, empty registry of backends.
    """
    filename = {"win32": f"{name}.dll", "darwin": f"lib{name}.0.dylib"}.get(sys.platform, f"lib{name}.so.0")
    return ctypes.CDLL(str(package / "lib" / filename))


def flag_reader() -> ctypes.c_void_p:
    """Address of a native function that returns the truth of the byte its argument points to.

    An abort callback is asked before every node of the graph, a thousand times a token, by a compute thread;
    Python there would cost the interpreter lock each time. `strlen` of a buffer with one letter is 1, without
    0.
    """
    libc = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    return ctypes.cast(libc.strlen, ctypes.c_void_p)
