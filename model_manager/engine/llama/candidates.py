"""The array of candidates that native samplers work on."""

from __future__ import annotations

import ctypes

import numpy as np
from llama_cpp import llama_cpp as native
from numpy.typing import NDArray

CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""Layout of `llama_token_data`."""


def apply(sampler: object, candidates: NDArray[np.void]) -> int:
    """Let a sampler change, sort or cut `candidates` in place, without telling it what was chosen.

    Returns:
        The token that it has chosen; -1 where this kind of sampler chooses none.
    """
    pointer = ctypes.cast(candidates.ctypes.data, ctypes.POINTER(native.llama_token_data))
    array = native.llama_token_data_array(pointer, len(candidates), -1, False)
    native.llama_sampler_apply(sampler, ctypes.byref(array))
    return int(array.data[array.selected].id) if array.selected >= 0 else -1
