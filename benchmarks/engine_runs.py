"""What the benchmarks of the engine share: the starter in this process, and the rate of one long answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.prompts import PROMPT
from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.llama.model import load as load_model
from model_manager.engine.scheduler import CONTINUE, Ending, Scheduler, Verdict
from model_manager.starter import ensure_starter
from model_manager.types import LoadPlan, SamplingParams


@dataclass(frozen=True)
class Engine:
    """A loaded model with its running scheduler."""

    model: LlamaContext
    scheduler: Scheduler


@contextmanager
def open_starter(n_ctx_tokens: int) -> Iterator[Engine]:
    """The starter mixture, loaded here and now."""
    plan = LoadPlan(ensure_starter(), n_ctx_tokens=n_ctx_tokens)
    model = load_model(plan, lambda _permille: None)
    scheduler = Scheduler(model)
    scheduler.start()
    try:
        yield Engine(model, scheduler)
    finally:
        scheduler.close()
        model.model.close()


class _Ended:
    def __init__(self) -> None:
        self.event = threading.Event()
        self.ending: Ending | None = None

    def on_prefill(self, done_tokens: int, total_tokens: int) -> None:
        pass

    def on_token(self, token_id: int, text: str) -> Verdict:
        return CONTINUE

    def on_end(self, ending: Ending) -> None:
        self.ending = ending
        self.event.set()


class Rate:
    """Decode rate of one answer after another, in the order of their measurement."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Without its own end an answer would be as long as the model likes.
        ends = {
            t: -100.0 for t in range(engine.model.vocabulary.n_tokens) if engine.model.vocabulary.is_end(t)
        }
        self._bias = ends

    def measure(self, n_tokens: int) -> float:
        """Tokens a second over an answer of exactly `n_tokens`."""
        observer = _Ended()
        prompt = self._engine.model.vocabulary.tokenize(PROMPT, special=True)
        sampling = SamplingParams(temperature=0.8, seed=1, max_tokens=n_tokens, logit_bias=self._bias)
        self._engine.scheduler.submit(prompt, sampling, observer)
        observer.event.wait()
        assert observer.ending is not None
        rate = observer.ending.timings.decode_tokens_per_s
        assert rate is not None
        return rate
