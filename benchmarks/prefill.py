"""How fast a prompt of 512 tokens is read: our API against llama-bench.

The context has one sequence: llama-bench's is empty as well. Where other chats stay in the context, every row
attends over their cells, too (masked), and pays for it: that is told in a row of its own.

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
_N_TEMPLATE_TOKENS = 7  # behind the system prompt, which is in the context from the second on


def rows(effort: Effort) -> Iterator[Row]:
    """One row a model."""
    for subject in subjects():
        with (
            peers.our_worker(subject, n_ctx_tokens=4096, n_parallel=1) as client,
            peers.our_worker(subject, n_ctx_tokens=4096, n_parallel=4) as shared,
        ):
            seeds = itertools.count(1)
            for _ in range(3):
                _rate(shared, seeds)
            contenders = {
                "ours": partial(_rate, client, seeds),
                "beside three chats": partial(_rate, shared, seeds),
                "llama-bench": partial(peers.llama_bench, subject, n_prompt=N_TOKENS),
            }
            result = contest(contenders, effort.pairs(7))
        what = f"prefill of {N_TOKENS}, to the first token"
        yield result.row(what, subject.name, "ours", "llama-bench", TARGET)
        yield result.row(f"{what}, three chats resident", subject.name, "beside three chats", "ours", None)


def _rate(client: EngineClient, seeds: Iterator[int]) -> float:
    """Of a prompt that the engine has not seen."""
    elapsed_s, n_computed = chats.first_token_s(
        client, chats.words(N_TOKENS - _N_TEMPLATE_TOKENS, next(seeds))
    )
    assert abs(n_computed - N_TOKENS) < 32, f"{n_computed} tokens instead of about {N_TOKENS}"
    return n_computed / elapsed_s


if __name__ == "__main__":
    table.main(rows, __doc__)
