"""Decode rate with one core taken by another process, against the idle machine.

python -m benchmarks.busy_core [--quick] [--json]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks import chats, peers, table
from benchmarks.models import subjects
from benchmarks.pairs import contest
from benchmarks.table import Effort, Row
from model_manager.engine.client import EngineClient

_HOG = "while True: pass"
N_TOKENS = 384


def rows(effort: Effort) -> Iterator[Row]:
    """One row, of the mixture."""
    _, mixture = subjects()
    with peers.our_worker(mixture, n_ctx_tokens=1024) as client:
        result = contest(
            {
                "one core busy": lambda: _while_busy(client),
                "idle": lambda: chats.decode_rate(client, N_TOKENS),
            },
            effort.pairs(5),
        )
    yield result.row("decode with one core busy", mixture.name, "one core busy", "idle", 0.5)


def _while_busy(client: EngineClient) -> float:
    hog = subprocess.Popen([sys.executable, "-c", _HOG])
    try:
        return chats.decode_rate(client, N_TOKENS)
    finally:
        hog.kill()
        hog.wait()


if __name__ == "__main__":
    table.main(rows, __doc__)
