"""How many threads decode, decided at the start and again while the machine gets busier or calmer.

A decode step is hundreds of small operations with a barrier after each, so one thread that waits for its core
holds up all others. Measured on two cores (tokens a second idle / with another process busy): two spinning
threads 133 / 9 to 42, two that spin shortly 126 / 36, one thread 65 / 70. Hence a short spin, a core left
free where there are many, and a controller that gives a core up when tokens slow down.
Source: design 4.1; GOMP_SPINCOUNT in the manual of libgomp.
"""

from __future__ import annotations

import os

import psutil

# libgomp reads this once, when it is loaded: it belongs into the environment before the process starts.
SPIN_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}

_MANY_CORES = 4


def n_usable_cores() -> int:
    """Physical cores that this process may run on; at least 1."""
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(1, min(physical, allowed))


def initial_threads(wanted: int = 0) -> int:
    """Decode threads to begin with: `wanted`; for 0 all cores, one fewer where there are more than four."""
    if wanted > 0:
        return wanted
    n_cores = n_usable_cores()
    return n_cores - 1 if n_cores > _MANY_CORES else n_cores
