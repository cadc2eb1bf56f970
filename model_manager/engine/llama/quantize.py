"""Quantizing a file, as llama.cpp does it; in a process of its own, for it cannot be stopped otherwise."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Final

from llama_cpp import llama_cpp as native

from model_manager.engine.llama import library
from model_manager.engine.llama.library import native_log
from model_manager.errors import QuantizeFailed
from model_manager.quantize_order import FILE_TYPE_IDS, TENSOR_TYPE_IDS, QuantizeOrder

_SLAB_BYTES: Final = 256 * 2**20
"""Of a tensor's rows that are in memory at once; the default would be all of it, 10 GiB in large mixtures."""


def quantize(
    order: QuantizeOrder, target: Path, n_threads: int, on_line: Callable[[str], None], *, is_trial: bool
) -> None:
    """Make the file; on this thread, until it is made.

    Args:
        order: What.
        target: Where to; what lies there is overwritten.
        n_threads: That compute.
        on_line: Told llama.cpp's log lines as they come, one a tensor among them.
        is_trial: Write nothing, only tell what would become of each tensor.

    Raises:
        QuantizeFailed: llama.cpp refuses.
    """
    library.start()
    parameters = native.llama_model_quantize_default_params()
    parameters.nthread = n_threads
    parameters.ftype = FILE_TYPE_IDS[order.type_name]
    parameters.allow_requantize = True
    parameters.dry_run = is_trial
    parameters.max_buf_size = _SLAB_BYTES
    pairs = [(pattern.encode(), TENSOR_TYPE_IDS[kind]) for pattern, kind in order.tensor_types]
    # The native side reads it until it returns, so this name must stay; an empty row ends the list.
    rows = [native.llama_model_tensor_override(*pair) for pair in pairs]
    overrides = (native.llama_model_tensor_override * (len(rows) + 1))(*rows)
    parameters.tt_overrides = overrides
    native_log.forget()
    with native_log.listening(on_line):
        code = native.llama_model_quantize(
            str(order.source).encode(), str(target).encode(), ctypes.byref(parameters)
        )
    if code:
        raise QuantizeFailed(order.source.stem, native_log.last_words() or f"code {code}")
