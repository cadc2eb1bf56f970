"""What it costs to see where tokens go: live, for each traced layer and token, and afterwards, as a prefill.

Two contexts of one model in this process decode in turns: one as chats have it, one with the evaluation
callback. A replay makes its own context each time, and that counts.

    python -m benchmarks.tracing [--quick] [--json]
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterator

from benchmarks import table
from benchmarks.machine import OthersMeter
from benchmarks.models import subjects
from benchmarks.pairs import contest
from benchmarks.table import Effort, Row
from model_manager.engine.batch import Batch
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load
from model_manager.engine.llama.tracing import Tracer
from model_manager.engine.replay import Replay
from model_manager.types import LoadPlan

TARGET_US = 50.0
REPLAY_TARGET = 0.9
_N_CTX_TOKENS = 1024
_N_DECODED = 48
_N_READ = 512


def rows(effort: Effort) -> Iterator[Row]:
    """Two rows, both of the mixture: a dense model has nothing to trace."""
    _, mixture = subjects()
    plan = LoadPlan(mixture.path, n_ctx_tokens=_N_CTX_TOKENS, n_batch_tokens=_N_READ, n_parallel=1)
    plain = load(plan, lambda _permille: None)
    tracer = Tracer()
    traced = plain.model.new_context(dataclasses.replace(plain.plan, tracer=tracer))
    try:
        yield _live(mixture.name, plain, traced, tracer, effort.pairs(9))
        yield _replayed(mixture.name, plain, effort.pairs(5))
    finally:
        plain.model.close()


def _live(name: str, plain: LlamaContext, traced: LlamaContext, tracer: Tracer, n_pairs: int) -> Row:
    _decode_s(plain), _decode_s(traced)
    tracer.is_on = True
    pairs = []
    n_layers = 0
    with OthersMeter() as meter:
        for number in range(n_pairs):
            if number % 2:
                with_s = _decode_s(traced, tracer)
                pairs.append((_decode_s(plain), with_s))
            else:
                without_s = _decode_s(plain)
                pairs.append((without_s, _decode_s(traced, tracer)))
            n_layers = len(_last(traced, tracer))
    costs_us = tuple(1e6 * (with_s - without_s) / n_layers for without_s, with_s in pairs)
    without_ms, with_ms = (1e3 * statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(
        what="live tracing, a layer and token",
        model=name,
        ours=f"{with_ms:.2f} ms/token",
        peer=f"untraced {without_ms:.2f} ms/token",
        figure=statistics.median(costs_us),
        target=TARGET_US,
        sense="at most",
        unit="us",
        spread=costs_us,
        others_cores=meter.cores,
        note=f"{n_layers} layers are traced; weights and ids are kept of each",
    )


def _last(context: LlamaContext, tracer: Tracer) -> list[object]:
    batch = context.new_batch()
    _decode_one(context, batch, _N_DECODED)
    return list(tracer.take().choices)


def _decode_s(context: LlamaContext, tracer: Tracer | None = None) -> float:
    """Median seconds of a token; what a tracer saw is taken after each, as a scheduler does."""
    batch = context.new_batch()
    context.forget(0)
    durations_s = []
    for position in range(_N_DECODED):
        began_s = time.perf_counter()
        _decode_one(context, batch, position)
        if tracer is not None:
            tracer.take()
        durations_s.append(time.perf_counter() - began_s)
    return statistics.median(durations_s)


def _decode_one(context: LlamaContext, batch: Batch, position: int) -> None:
    batch.clear()
    batch.add(0, position, [1000 + position], wants_logits=True)
    if context.decode(batch) != 0:
        raise RuntimeError("a token could not be computed")


def _replayed(name: str, plain: LlamaContext, n_rounds: int) -> Row:
    tokens = list(range(1000, 1000 + _N_READ))

    def prefill() -> float:
        batch = plain.new_batch()
        plain.forget(0)
        batch.add(0, 0, tokens, wants_logits=True)
        began_s = time.perf_counter()
        if plain.decode(batch) != 0:
            raise RuntimeError("the prompt could not be computed")
        plain.logits(_N_READ - 1)
        return _N_READ / (time.perf_counter() - began_s)

    def replay() -> float:
        began_s = time.perf_counter()
        seen = sum(part.n_tokens for part in Replay(plain, tokens, 0).run() if part is not None)
        if seen != _N_READ:
            raise RuntimeError("not every token was seen")
        return _N_READ / (time.perf_counter() - began_s)

    done = contest({"replay": replay, "prefill": prefill}, n_rounds)
    return done.row("replay of 512 tokens", name, "replay", "prefill", REPLAY_TARGET)


if __name__ == "__main__":
    table.main(rows, __doc__)
