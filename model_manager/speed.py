"""How fast a model will answer on this machine, from how fast others do.

Decoding is bound by memory: a token takes as long as reading the weights it needs, and the keys and values so
far, each from where it lies. Reading a prompt is bound by arithmetic: two operations a parameter and token.
What this machine really does with both is taken from answers that it has made; where there are none, its
memory is measured for a moment, a graphics card counts as an ordinary one, and the forecast says that it is a
guess.
Source: notes D1; Williams et al., "Roofline", 2009
"""

from __future__ import annotations

import functools
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Basis = Literal["measured", "memory", "card", "disk", "none"]
"""What a forecast rests on; "card": on what an ordinary one does, "disk": that is what a token waits for."""

GUESSED_SHARE: Final = 0.6
"""Of the memory's speed that decoding reaches on ordinary machines (notes D1: 0.5 to 0.7)."""
GUESSED_OPERATIONS_PER_BYTE: Final = 16.0
"""Arithmetic for each byte of memory speed, of processors with wide vectors; prompts only."""
ORDINARY_CARD_BYTES_PER_S: Final = 300e9
"""Of its memory, as data sheets of graphics cards of the middle class have it."""
_PROBE_BYTES: Final = 128 * 2**20
"""Larger than caches are; most of the time goes into having so much memory at all."""
_N_TIMES: Final = 3
_MOST_THREADS: Final = 16
_LEAST_SURE: Final[Sequence[Basis]] = ("measured", "memory", "card")


@dataclass(frozen=True, slots=True)
class Observation:
    """What a model did here.

    Attributes:
        token_bytes: Weights that it reads for a token.
        active_params: Parameters that work on one.
        is_on_device: All of it lay on a graphics card, so it says nothing about the main memory; else all of
            it lay there.
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
class TokenReads:
    """Bytes of weights, keys and values that are read for one token, by where they lie."""

    ram_bytes: float
    device_bytes: float = 0.0
    disk_bytes: float = 0.0


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
    """Read an eighth of a gigabyte a few times, with all processors: one alone does not keep memory busy.

    A tenth of a second, once a process, and as much memory.
    """
    n_threads = min(os.cpu_count() or 1, _MOST_THREADS)
    parts = np.array_split(np.ones(_PROBE_BYTES // 8), n_threads)
    times = []
    with ThreadPoolExecutor(n_threads) as pool:
        for _ in range(_N_TIMES):
            began_s = time.perf_counter()
            list(pool.map(np.sum, parts))
            times.append(time.perf_counter() - began_s)
    rate = _PROBE_BYTES / min(times) * GUESSED_SHARE
    return Pace(rate, rate * GUESSED_OPERATIONS_PER_BYTE, "memory")


def ordinary_card() -> Pace:
    """What a graphics card does that nobody has measured."""
    return Pace(ORDINARY_CARD_BYTES_PER_S * GUESSED_SHARE, None, "card")


def forecast(
    reads: TokenReads,
    active_params: int,
    ram: Pace,
    device: Pace | None = None,
    disk_bytes_per_s: float | None = None,
) -> SpeedForecast:
    """How fast a model will be.

    Args:
        reads: For a token, in the middle of a conversation.
        active_params: Parameters that work on one.
        ram: Of the main memory and the processor.
        device: Of the graphics card, where one has a part.
        disk_bytes_per_s: In pieces as a page fault fetches them; without it nothing can be said of a model
            that needs it.
    """
    unknown = SpeedForecast(None, None, "none")
    time_s = reads.ram_bytes / ram.bytes_per_s
    if reads.device_bytes:
        if device is None:
            return unknown
        time_s += reads.device_bytes / device.bytes_per_s
    if reads.disk_bytes:
        if not disk_bytes_per_s:
            return unknown
        # A prompt's tokens want all experts between them, so how long it takes is the disk's affair.
        return SpeedForecast(1 / (time_s + reads.disk_bytes / disk_bytes_per_s), None, "disk")
    if time_s <= 0:
        return unknown
    paces = [
        pace for pace, n_bytes in ((ram, reads.ram_bytes), (device, reads.device_bytes)) if pace and n_bytes
    ]
    prefill = None
    if len(paces) == 1 and paces[0].operations_per_s is not None and active_params:
        prefill = paces[0].operations_per_s / (2 * active_params)
    return SpeedForecast(1 / time_s, prefill, max((pace.basis for pace in paces), key=_LEAST_SURE.index))
