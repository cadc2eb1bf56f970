"""How soon a cancelled answer is over: until the engine has answered the next, short request.

The context holds one sequence only, so that the next request waits for the end of the first; what it takes by
itself is taken off.

    python -m benchmarks.cancelling [--quick] [--json]
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator

from benchmarks import chats, peers, table
from benchmarks.machine import OthersMeter
from benchmarks.models import subjects
from benchmarks.table import Effort, Row
from model_manager.engine.client import Cancel, EngineClient
from model_manager.types import ChatEvent, PrefillProgress

TARGET_MS = 200.0
_N_CTX_TOKENS = 4096
_N_PROMPT_WORDS = 3000


def rows(effort: Effort) -> Iterator[Row]:
    """Two rows a model: cancelled in its prompt, and while it answers."""
    n_runs = effort.pairs(9)
    for subject in subjects():
        with peers.our_worker(subject, n_ctx_tokens=_N_CTX_TOKENS, n_parallel=1) as client:
            chats.first_token_s(client, "Hi.")  # from now on all that prompts have in common is there
            for what, in_prefill in (("cancel in a long prompt", True), ("cancel in an answer", False)):
                with OthersMeter() as meter:
                    latencies_ms = [
                        1000 * _latency_s(client, seed, in_prefill=in_prefill) for seed in range(n_runs)
                    ]
                yield Row(
                    what=what,
                    model=subject.name,
                    ours=f"{statistics.median(latencies_ms):.0f} ms median",
                    peer="",
                    figure=max(latencies_ms),
                    target=TARGET_MS,
                    sense="at most",
                    unit="ms",
                    spread=tuple(latencies_ms),
                    others_cores=meter.cores,
                    note=f"the figure is the slowest of {n_runs}",
                )


def _latency_s(client: EngineClient, seed: int, *, in_prefill: bool) -> float:
    text = chats.words(_N_PROMPT_WORDS, seed) if in_prefill else f"{seed}: tell me a long story."
    cancel = Cancel()
    events = client.chat(chats.request(2000, text, seed), cancel)
    _wait_until_in(events, in_prefill=in_prefill)
    # Each run breaks off at another moment of a call.
    threading.Event().wait(0.05 + 0.037 * (seed % 9))
    cancel.set()
    until_next_s, _ = chats.first_token_s(client, "Hi.")
    for _ in events:
        pass
    alone_s, _ = chats.first_token_s(client, f"{seed}!")
    return until_next_s - alone_s


def _wait_until_in(events: Iterator[ChatEvent], *, in_prefill: bool) -> None:
    for event in events:
        if isinstance(event, PrefillProgress) == in_prefill:
            return
    raise RuntimeError("the answer ended early")


if __name__ == "__main__":
    table.main(rows, __doc__)
