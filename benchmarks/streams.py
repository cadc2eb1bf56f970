"""Four and eight answers at once, summed: our API against llama-batched-bench and the binding's server.

llama-batched-bench measures decoding alone, so ours begins with the first piece of text; the binding's server
answers one after the other, so there both begin with the first request. Our answers share their cells' room
(`kv_unified`), as every context of ours does; llama-batched-bench gives each sequence cells of its own.

python -m benchmarks.streams [--quick] [--json]
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import chats, peers, table
from benchmarks.models import subjects
from benchmarks.pairs import Contest, contest
from benchmarks.table import Effort, Row

N_TOKENS = 96
_N_CTX_TOKENS = 4096
_N_STREAMS = (4, 8)


def rows(effort: Effort) -> Iterator[Row]:
    """A row a number of streams and peer."""
    for subject in subjects():
        for n_streams in _N_STREAMS:
            with peers.our_worker(subject, n_ctx_tokens=_N_CTX_TOKENS, n_parallel=n_streams) as client:
                peer = "llama-batched-bench"
                theirs = partial(peers.llama_batched_bench, subject, n_streams=n_streams, n_decode=N_TOKENS)
                result = contest(
                    {"ours": partial(chats.summed_rate, client, n_streams, N_TOKENS), peer: theirs},
                    effort.pairs(5),
                )
                yield _row(result, n_streams, subject.name, peer, 0.95)
    dense, _ = subjects()
    with (
        peers.our_worker(dense, n_ctx_tokens=_N_CTX_TOKENS, n_parallel=max(_N_STREAMS)) as client,
        peers.python_server(dense, n_ctx_tokens=_N_CTX_TOKENS) as server,
    ):
        for n_streams in _N_STREAMS:
            peer = "llama_cpp.server"
            contenders = {
                "ours": partial(chats.summed_rate, client, n_streams, N_TOKENS, from_request=True),
                peer: partial(chats.summed_rate, server, n_streams, N_TOKENS, from_request=True),
            }
            yield _row(contest(contenders, effort.pairs(3)), n_streams, dense.name, peer, 2.0)


def _row(result: Contest, n_streams: int, model: str, peer: str, target: float) -> Row:
    return result.row(f"decode, {n_streams} streams summed", model, "ours", peer, target)


if __name__ == "__main__":
    table.main(rows, __doc__)
