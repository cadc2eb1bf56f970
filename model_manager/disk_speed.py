"""How fast pages of a model's file come from its disk: measured as faults fetch them, in 128 KiB pieces.

A disk that gives 4 GB/s in one stream may give a tenth of it in such pieces, and those are what a model gets
that does not fit into memory.
Source: notes C (moe-fit, which was wrong by a factor of 20 with pieces of 8 MiB); Linux, `read_ahead_kb` is
128.
"""

from __future__ import annotations

import logging
import mmap
import os
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

FAULT_BYTES: Final = 128 * 1024
LEAST_FILE_BYTES: Final = 64 * 2**20
"""A smaller file would be in some cache of the disk itself."""
_N_READS: Final = 32
_PAGE_BYTES: Final = 4096


def measure_disk(path: Path) -> float | None:
    """Bytes a second in such pieces, from a file that is there; some ten milliseconds.

    Returns:
        None where the system offers no way around its cache, or the file is too small or cannot be read.
    """
    if sys.platform != "linux":
        return None
    try:
        file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError as error:
        log.info("the disk of %s cannot be measured: %s", path, error)
        return None
    try:
        size_bytes = os.fstat(file).st_size
        if size_bytes < LEAST_FILE_BYTES:
            return None
        return _measure(file, size_bytes)
    except OSError as error:
        log.info("the disk of %s cannot be measured: %s", path, error)
        return None
    finally:
        os.close(file)


def _measure(file: int, size_bytes: int) -> float | None:
    dice = random.Random(size_bytes)
    n_pages = (size_bytes - FAULT_BYTES) // _PAGE_BYTES
    rates = []
    with mmap.mmap(-1, FAULT_BYTES) as buffer:  # on a page's border, as such reads demand
        for _ in range(_N_READS):
            offset = dice.randrange(n_pages) * _PAGE_BYTES
            began_s = time.perf_counter()
            n_bytes = os.preadv(file, [buffer], offset)
            elapsed_s = time.perf_counter() - began_s
            if n_bytes and elapsed_s > 0:
                rates.append(n_bytes / elapsed_s)
    return statistics.median(rates) if rates else None
