"""How fast a prompt of 512 tokens is read: our API against llama-bench.

python -m benchmarks.prefill [--quick] [--json]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

from benchmarks import chats, peers, table
from benchmarks.models import subjects
from benchmarks.pairs import contest
from benchmarks.table import Effort, Row
from model_manager.engine.client import EngineClient

N_TOKENS = 512
TARGET = 0.97


def rows(effort: Effort) -> Iterator[Row]:
    """One row a model."""
    for subject in subjects():
        with peers.our_worker(subject, n_ctx_tokens=4096) as client:
            contenders = {
                "ours": partial(_rate, client, itertools.count(1)),
                "llama-bench": partial(peers.llama_bench, subject, n_prompt=N_TOKENS),
            }
            result = contest(contenders, effort.pairs(7))
        yield result.row(
            f"prefill of {N_TOKENS}, to the first token", subject.name, "ours", "llama-bench", TARGET
        )


def _rate(client: EngineClient, seeds: Iterator[int]) -> float:
    """Of a prompt that the engine has not seen."""
    elapsed_s, n_computed = chats.first_token_s(client, chats.words(N_TOKENS, next(seeds)))
    assert abs(n_computed - N_TOKENS) < 64, f"{n_computed} tokens instead of about {N_TOKENS}"
    return n_computed / elapsed_s


if __name__ == "__main__":
    table.main(rows, __doc__)
