"""An answer that copies most of its prompt, with and without prompt lookup.

The dense model is compared with itself without guesses. A mixture reads more experts with every row, so its
calls with guesses are dearer: it is compared with what those very calls take on their own, by their rows.

python -m benchmarks.lookup [--quick] [--json]
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from threading import Event

from benchmarks import table
from benchmarks.machine import OthersMeter
from benchmarks.models import Subject, subjects
from benchmarks.table import Effort, Row
from model_manager.engine.batch import Batch
from model_manager.engine.jobs import CONTINUE, Ending, Verdict
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load
from model_manager.engine.scheduler import Scheduler
from model_manager.engine.speculation.sources import new_speculator
from model_manager.types import LoadPlan, SamplingParams, Speculation

N_TOKENS = 200
N_PAIRS = 7

_TEXT = """The keeper of the lighthouse wrote down the weather of every day. On Monday there was fog, and the
ships waited outside the harbour. On Tuesday the wind turned north and blew the fog away, so that
eleven ships came in before noon. On Wednesday it rained from morning to evening, and nobody saw
the other side of the bay."""
_PROMPT = (
    f"<|im_start|>user\nRepeat this text word by word:\n\n{_TEXT.replace(chr(10), ' ')}<|im_end|>\n"
    "<|im_start|>assistant\n"
)
"""A text that a model this small does repeat: 9 of 10 tokens are those of the text."""


def rows(effort: Effort) -> Iterator[Row]:
    """One row a model."""
    dense, mixture = subjects()
    n_pairs = effort.pairs(N_PAIRS)
    with _Copying(dense) as copying, OthersMeter() as meter:
        runs = [(copying.run("lookup"), copying.run("off")) for _ in range(n_pairs)]
    ratios = tuple(with_.rate / without.rate for with_, without in runs)
    yield _row(dense, "answer that copies, prompt lookup", runs, "without", ratios, 1.5, meter.cores)
    with _Copying(mixture) as copying, OthersMeter() as meter:
        runs = []
        for _ in range(n_pairs):
            guessed = copying.run("lookup")
            runs.append((guessed, copying.ceiling(guessed)))
        plain = statistics.median(copying.run("off").rate for _ in range(n_pairs))
    ratios = tuple(with_.rate / ceiling.rate for with_, ceiling in runs)
    row = _row(
        mixture, "answer that copies, prompt lookup", runs, "its calls alone", ratios, 0.9, meter.cores
    )
    gain = statistics.median(with_.rate for with_, _ in runs) / plain
    yield replace(row, note=f"{row.note}; {gain:.2f} x without ({plain:.1f} tok/s)")


class _Run:
    """One answer: tokens a second after the first, and the rows of its calls."""

    def __init__(self, rate: float, calls: Counter[int], ending: Ending | None) -> None:
        self.rate = rate
        self.calls = calls
        self.ending = ending


def _row(
    subject: Subject,
    what: str,
    runs: list[tuple[_Run, _Run]],
    peer: str,
    ratios: tuple[float, ...],
    target: float,
    others_cores: float,
) -> Row:
    ours = statistics.median(with_.rate for with_, _ in runs)
    theirs = statistics.median(other.rate for _, other in runs)
    ending = runs[-1][0].ending
    assert ending is not None
    return Row(
        what=what,
        model=subject.name,
        ours=f"{ours:.1f} tok/s",
        peer=f"{peer} {theirs:.1f} tok/s",
        figure=statistics.median(ratios),
        target=target,
        spread=ratios,
        others_cores=others_cores,
        note=f"{ending.accepted_tokens} of {ending.drafted_tokens} guesses right "
        f"in {ending.completion_tokens} tokens, calls by rows {dict(sorted(runs[-1][0].calls.items()))}",
    )


class _Copying:
    """A model in this process that is asked to copy a text."""

    def __init__(self, subject: Subject) -> None:
        self._plan = LoadPlan(subject.path, n_ctx_tokens=1024)

    def __enter__(self) -> _Copying:
        self._context = load(self._plan, lambda _permille: None)
        self._tokens = self._context.vocabulary.tokenize(_PROMPT, special=True)
        self.run("lookup"), self.run("off")  # the first of everything is slower
        return self

    def __exit__(self, *_error: object) -> None:
        self._context.model.close()

    def run(self, speculation: Speculation) -> _Run:
        """Answer once."""
        plan = replace(self._plan, speculation=speculation)
        calls: Counter[int] = Counter()
        scheduler = Scheduler(self._context, speculator=new_speculator(plan, self._context)[1])
        decode = self._context.decode

        def counted(batch: Batch) -> int:
            if observer.is_decoding:
                calls[batch.n_rows] += 1
            return decode(batch)

        observer = _Observer()
        params = SamplingParams(temperature=0.0, max_tokens=N_TOKENS, ignore_end=True)
        self._context.decode = counted  # type: ignore[method-assign]  # counts what passes
        try:
            scheduler.start()
            scheduler.submit(self._tokens, params, observer)
            observer.ended.wait()
        finally:
            scheduler.close()
            self._context.decode = decode  # type: ignore[method-assign]  # as it was
        ending = observer.ending
        assert ending is not None
        assert ending.error is None
        rate = ending.timings.decode_tokens_per_s
        assert rate is not None
        return _Run(rate, calls, ending)

    def ceiling(self, run: _Run) -> _Run:
        """The same calls without anything around them: as many rows, behind as many tokens."""
        context = self._context
        context.abort(False)
        batch = context.new_batch()
        _fill(context, batch, self._tokens)
        n_before = len(self._tokens) + N_TOKENS // 2
        _fill(context, batch, self._tokens[: N_TOKENS // 2], len(self._tokens))
        total_s = 0.0
        for n_rows, n_calls in run.calls.items():
            times = []
            for _ in range(5):
                context.forget(0, n_before)
                batch.clear()
                batch.add(0, n_before, self._tokens[:n_rows], wants_logits=True, wants_all=True)
                began_s = time.perf_counter()
                context.decode(batch)
                times.append(time.perf_counter() - began_s)
            total_s += n_calls * statistics.median(times)
        context.forget(0)
        return _Run((N_TOKENS - 1) / total_s, run.calls, None)


def _fill(context: LlamaContext, batch: Batch, tokens: list[int], position: int = 0) -> None:
    for start in range(0, len(tokens), 32):
        batch.clear()
        batch.add(0, position + start, tokens[start : start + 32], wants_logits=True)
        context.decode(batch)


class _Observer:
    def __init__(self) -> None:
        self.ended = Event()
        self.is_decoding = False
        self.ending: Ending | None = None

    def on_prefill(self, done_tokens: int, total_tokens: int) -> None:
        pass

    def on_token(self, token_id: int, text: str) -> Verdict:
        self.is_decoding = True
        return CONTINUE

    def on_logprobs(self, told: object) -> None:
        pass

    def on_end(self, ending: Ending) -> None:
        self.ending = ending
        self.ended.set()


if __name__ == "__main__":
    table.main(rows, __doc__)
