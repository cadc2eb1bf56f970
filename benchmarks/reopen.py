"""How soon a chat of 2,000 tokens goes on after a restart: its state read from a file against a cold prompt.

Each round has a conversation of its own. A first worker reads it cold, and saves it when it ends; a second
one is asked for another answer, a third one a new question. Loading the model is not counted, and reading and
checking the file is. All three are the first request of their worker.

python -m benchmarks.reopen [--quick] [--json]
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import chats, peers, table
from benchmarks.machine import OthersMeter
from benchmarks.models import Subject, subjects
from benchmarks.table import Effort, Row
from model_manager.types import ChatMessage

N_TOKENS = 2000
TARGET = 50.0


def rows(effort: Effort) -> Iterator[Row]:
    """Two rows a model: what the target is about, and with a new question on top."""
    for subject in subjects():
        with OthersMeter() as meter:
            rounds = [_round(subject, seed) for seed in range(1, 1 + effort.pairs(5))]
        cold, reopened, continued = (tuple(values) for values in zip(*rounds, strict=True))
        for what, seconds, target in (
            (f"chat of {N_TOKENS} tokens reopened, to the first token", reopened, TARGET),
            ("the same, with a new question", continued, None),
        ):
            ratios = tuple(slow / fast for slow, fast in zip(cold, seconds, strict=True))
            yield Row(
                what=what,
                model=subject.name,
                ours=f"{statistics.median(seconds) * 1000:.0f} ms",
                peer=f"cold {statistics.median(cold) * 1000:.0f} ms",
                figure=statistics.median(ratios),
                target=target,
                spread=ratios,
                others_cores=meter.cores,
            )


def _round(subject: Subject, seed: int) -> tuple[float, float, float]:
    """Seconds cold, reopened, and reopened with a new question."""
    text = chats.words(N_TOKENS - 30, seed)
    question = (ChatMessage("assistant", "the"), ChatMessage("user", "And then?"))
    seconds = []
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder:
        for more in ((), (), question):
            with peers.our_worker(subject, n_ctx_tokens=4096, prompt_cache_dir=Path(folder)) as client:
                elapsed_s, n_computed = chats.first_token_s(client, text, *more)
            n_expected = N_TOKENS if not seconds else 20
            assert abs(n_computed - n_expected) < 64, f"{n_computed} tokens instead of about {n_expected}"
            seconds.append(elapsed_s)
    return seconds[0], seconds[1], seconds[2]


if __name__ == "__main__":
    table.main(rows, __doc__)
