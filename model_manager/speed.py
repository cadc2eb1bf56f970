"""How fast a model will answer on this machine, from how fast others do.

Decoding is bound by memory: a token takes as long as reading the weights it needs, and the keys and values so
far. Reading a prompt is bound by arithmetic: two operations a parameter and token. What this machine really
does with both is taken from answers that it has made; where there are none, its memory is measured for a
moment, and the forecast says that it is a guess.
Source: notes D1; Williams et al., "Roofline", 2009
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Basis = Literal["measured", "memory", "disk", "none"]
"""What a forecast rests on; "disk" where that is what a token waits for."""

GUESSED_SHARE: Final = 0.6
"""Of the memory's speed that decoding reaches on ordinary machines (notes D1: 0.5 to 0.7)."""
GUESSED_OPERATIONS_PER_BYTE: Final = 16.0
"""Arithmetic for each byte of memory speed, of processors with wide vectors; prompts only."""
_PROBE_BYTES: Final = 128 * 2**20
"""Larger than caches are; most of the time goes into having so much memory at all."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a model did here.

    Attributes:
        token_bytes: Weights that it reads for a token.
        active_params: Parameters that work on one.
        is_on_device: All of it lay on a graphics card, so it says nothing about the main memory.
    """

    token_bytes: int
    active_params: int
    decode_tokens_per_s: float
    prefill_tokens_per_s: float | None
    is_on_device: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """What a machine does a second.

    Attributes:
        bytes_per_s: Read while decoding.
        operations_per_s: While a prompt is read; None where nobody knows.
    """

    bytes_per_s: float
    operations_per_s: float | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class SpeedForecast:
    """The answer; None where there is nothing to go by."""

    decode_tokens_per_s: float | None
    prefill_tokens_per_s: float | None
    basis: Basis


def pace_from(observations: Sequence[Observation]) -> Pace | None:
    """What earlier answers say; None if there are none."""
    if not observations:
        return None
    reading = [o.decode_tokens_per_s * o.token_bytes for o in observations]
    computing = [2 * o.prefill_tokens_per_s * o.active_params for o in observations if o.prefill_tokens_per_s]
    return Pace(statistics.median(reading), statistics.median(computing) if computing else None, "measured")


@functools.cache
def measure_memory() -> Pace:
    """Read an eighth of a gigabyte a few times; a tenth of a second, once a process, and as much memory."""
    block = np.ones(_PROBE_BYTES // 8)
    times = []
    for _ in range(3):
        began_s = time.perf_counter()
        block.sum()
        times.append(time.perf_counter() - began_s)
    rate = _PROBE_BYTES / min(times) * GUESSED_SHARE
    return Pace(rate, rate * GUESSED_OPERATIONS_PER_BYTE, "memory")


def forecast(
    pace: Pace,
    token_bytes: int,
    active_params: int,
    kv_bytes_read: int,
    *,
    paged_bytes: float = 0.0,
    disk_bytes_per_s: float | None = None,
) -> SpeedForecast:
    """How fast a model will be.

    Args:
        pace: Of the machine.
        token_bytes: Weights that are read for a token.
        active_params: Parameters that work on one.
        kv_bytes_read: Keys and values that are read for a token, in the middle of a conversation.
        paged_bytes: Of `token_bytes`, those that come from the disk each time, on the mean.
        disk_bytes_per_s: In pieces as a page fault fetches them; without it nothing can be said of such a
        model.
    """
    read = token_bytes + kv_bytes_read - paged_bytes
    if read <= 0:
        return SpeedForecast(None, None, pace.basis)
    if paged_bytes and not disk_bytes_per_s:
        return SpeedForecast(None, None, "none")
    time_s = read / pace.bytes_per_s
    if paged_bytes and disk_bytes_per_s:
        # A prompt's tokens want all experts between them, so how long it takes is the disk's affair.
        return SpeedForecast(1 / (time_s + paged_bytes / disk_bytes_per_s), None, "disk")
    prefill = None
    if pace.operations_per_s is not None and active_params:
        prefill = pace.operations_per_s / (2 * active_params)
    return SpeedForecast(1 / time_s, prefill, pace.basis)
