"""What one sequence of a context was computed to be, as bytes."""

from __future__ import annotations

import ctypes

import numpy as np
from llama_cpp import llama_cpp as native
from numpy.typing import NDArray


def size_bytes(context: int, sequence_id: int, *, partial: bool) -> int:
    """Of what `read` gives."""
    return int(native.llama_state_seq_get_size_ext(context, sequence_id, _flags(partial)))


def read(context: int, sequence_id: int, *, partial: bool) -> NDArray[np.uint8]:
    """A copy of it; empty where llama.cpp has none to give."""
    data = np.empty(size_bytes(context, sequence_id, partial=partial), np.uint8)
    n_bytes = native.llama_state_seq_get_data_ext(
        context, _pointer(data), data.nbytes, sequence_id, _flags(partial)
    )
    return data[: int(n_bytes)]


def write(context: int, sequence_id: int, data: NDArray[np.uint8], *, partial: bool) -> bool:
    """Put it into a sequence; False where it does not fit."""
    n_bytes = native.llama_state_seq_set_data_ext(
        context, _pointer(data), data.nbytes, sequence_id, _flags(partial)
    )
    return int(n_bytes) == data.nbytes


def _flags(partial: bool) -> int:
    return int(native.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY) if partial else 0


def _pointer(data: NDArray[np.uint8]) -> object:
    return ctypes.cast(data.ctypes.data, ctypes.POINTER(ctypes.c_uint8))
