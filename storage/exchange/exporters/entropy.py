"""How unsure the model was while it wrote an answer, where the likelihoods of its tokens were kept."""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from storage.exchange.carried import CarriedMessage, CarriedTrace

_MAX_BYTES = 1 << 30


def mean_entropy_bits(message: CarriedMessage) -> float | None:
    """Of the choice of each token, on average; None where the likelihoods were not kept or cannot be read.

    Only the likeliest alternatives are kept: what they leave counts as one more, so this is a lower bound.
    """
    trace = next((trace for trace in message.traces if trace.kind == "top_logprobs"), None)
    logprobs = None if trace is None else _numbers(trace)
    if logprobs is None or logprobs.ndim != 2 or not logprobs.size:
        return None
    shares = np.exp(np.minimum(logprobs.astype(np.float64), 0.0))
    rest = np.clip(1.0 - shares.sum(axis=1, keepdims=True), 0.0, 1.0)
    shares = np.hstack([shares, rest])
    surprisals = np.where(shares > 0, -np.log2(np.where(shares > 0, shares, 1.0)), 0.0)
    mean = float(np.mean(np.sum(shares * surprisals, axis=1)))
    return mean if math.isfinite(mean) else None


def _numbers(trace: CarriedTrace) -> NDArray[np.generic] | None:
    try:
        data = zlib.decompressobj().decompress(trace.data, _MAX_BYTES)
        return np.frombuffer(data, trace.dtype).reshape(trace.shape)
    except (ValueError, TypeError, zlib.error):
        return None
