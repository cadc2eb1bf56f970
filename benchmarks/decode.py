"""Decode rate of one answer: our API, llama-server, llama-bench, and the bare low-level loop.

All have room for one sequence, so that nobody attends over the cells of earlier answers.

python -m benchmarks.decode [--quick] [--json]
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import chats, peers, table
from benchmarks.models import subjects
from benchmarks.pairs import contest
from benchmarks.prompts import QUESTION_TOKENS
from benchmarks.table import Effort, Row

N_TOKENS = 128
_N_CTX_TOKENS = 1024


def rows(effort: Effort) -> Iterator[Row]:
    """Three rows a model."""
    for subject in subjects():
        with (
            peers.our_worker(subject, n_ctx_tokens=_N_CTX_TOKENS, n_parallel=1) as ours,
            peers.llama_server(subject, n_ctx_tokens=_N_CTX_TOKENS) as server,
            peers.bare_loop(subject, n_ctx_tokens=_N_CTX_TOKENS) as bare,
        ):
            result = contest(
                {
                    "ours": partial(chats.decode_rate, ours, N_TOKENS),
                    "llama-server": partial(chats.decode_rate, server, N_TOKENS),
                    "llama-bench": partial(
                        peers.llama_bench, subject, n_decode=N_TOKENS, n_depth=QUESTION_TOKENS
                    ),
                    "bare loop": partial(bare.measure, N_TOKENS),
                },
                effort.pairs(9),
            )
        for peer, target in (("llama-server", 1.0), ("llama-bench", 0.95), ("bare loop", 0.95)):
            yield result.row("decode, 1 stream", subject.name, "ours", peer, target)


if __name__ == "__main__":
    table.main(rows, __doc__)
