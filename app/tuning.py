"""Measures how a model is loaded best on this machine: `model_manager.tuning` with real workers."""

from __future__ import annotations

import contextlib
import datetime
import random
import time
from collections.abc import Callable
from dataclasses import replace

from app.engines import Engine, Engines, LoadCancelled
from app.errors import Interrupted
from app.vetting import Vetting
from model_manager import plans
from model_manager.engine.client import Cancel
from model_manager.engine.threads import initial_threads, n_usable_cores
from model_manager.errors import DecodeFailed, NotEnoughMemory
from model_manager.library import Library
from model_manager.tuning import (
    ANSWER_TOKENS,
    PROMPT_TOKENS,
    Changes,
    Machine,
    Pairs,
    Speed,
    Trial,
    Tuning,
    candidates,
    tune,
)
from model_manager.types import ChatFinished, ChatMessage, ChatRequest, LoadPlan, ModelEntry, SamplingParams

_RUN_S = 1.2
"""About how long the prompt and the answer of a run take each, so that a slow model gets through as well."""

_FEWEST_TOKENS = 8
_FIRST_WORDS = 8
_N_ATTEMPTS = 5
_WORDS = (
    "river",
    "stone",
    "bright",
    "cold",
    "house",
    "seven",
    "letter",
    "garden",
    "sudden",
    "north",
    "paper",
)


class Trials:
    """Workers of one model that are compared: two at once, or one where there is no room for two."""

    def __init__(self, engines: Engines, entry: ModelEntry, plan: LoadPlan, cancel: Cancel) -> None:
        self._engines = engines
        self._entry = entry
        self._plan = replace(plan, prompt_cache_dir=None)
        self._cancel = cancel
        self._running: dict[LoadPlan, tuple[Engine, contextlib.ExitStack]] = {}
        self._n_words, self._n_answer = _FIRST_WORDS, _FEWEST_TOKENS * 2
        self._is_sized = False
        self._seed = 0

    def close(self) -> None:
        """End the workers."""
        for _, stack in self._running.values():
            stack.close()
        self._running.clear()

    def n_layers(self) -> int:
        """Of the model; loads it as it is.

        Raises:
            EngineError: It cannot be loaded.
        """
        return self._engine(self._plan, None).info.n_layers

    def compare(self, base_changes: Changes, changes: Changes) -> Pairs:
        """As `model_manager.tuning.Compare` wants it.

        Raises:
            EngineError: The other plan cannot be loaded, or does not answer.
            Interrupted: The switch was set.
        """
        base, other = (plans.applied(self._plan, c, self._plan.adapters) for c in (base_changes, changes))
        for plan in [plan for plan in self._running if plan not in (base, other)]:
            self._end(plan)
        if not self._is_sized:
            self._fit_runs(base)
        while True:
            self._seed += 1
            first = self._run(base, keep=other)
            yield first, self._run(other, keep=base)
            self._seed += 1
            # The other one first this time: what slows the machine down meets both.
            second = self._run(other, keep=base)
            yield self._run(base, keep=other), second

    def _fit_runs(self, plan: LoadPlan) -> None:
        """Choose the length of a run, so that a minute is enough for several and the context, too."""
        engine = self._engine(plan, None)
        n_ctx_tokens = engine.info.n_ctx_tokens
        tokens_per_word = len(engine.client.tokenize(" ".join(_WORDS))) / len(_WORDS)
        self._run(plan)
        speed = self._run(plan)
        n_prompt = min(PROMPT_TOKENS, n_ctx_tokens // 2, speed.prefill_tokens_per_s * _RUN_S)
        n_answer = min(ANSWER_TOKENS, n_ctx_tokens // 4, speed.decode_tokens_per_s * _RUN_S)
        self._n_words = max(_FIRST_WORDS, int(n_prompt / tokens_per_word))
        self._n_answer = max(_FEWEST_TOKENS * 2, int(n_answer))
        self._is_sized = True

    def _run(self, plan: LoadPlan, keep: LoadPlan | None = None) -> Speed:
        engine = self._engine(plan, keep)
        for _ in range(_N_ATTEMPTS):
            dice = random.Random(self._seed)
            words = " ".join(dice.choice(_WORDS) for _ in range(self._n_words))
            text = f"Tell a long story with these words: {words}"
            sampling = SamplingParams(seed=self._seed, max_tokens=self._n_answer)
            request = ChatRequest((ChatMessage("user", text),), sampling, thinking="off")
            for event in engine.client.chat(request, self._cancel):
                if isinstance(event, ChatFinished):
                    ending = event
            if self._cancel.is_set:
                raise Interrupted
            prefill, decode = ending.timings.prefill_tokens_per_s, ending.timings.decode_tokens_per_s
            if prefill and decode and ending.usage.completion_tokens >= _FEWEST_TOKENS:
                return Speed(prefill, decode)
            self._seed += 1
        raise DecodeFailed(0)

    def _engine(self, plan: LoadPlan, keep: LoadPlan | None) -> Engine:
        if plan not in self._running:
            try:
                self._load(plan)
            except NotEnoughMemory:
                if keep not in self._running:
                    raise
                self._end(keep)
                self._load(plan)
        return self._running[plan][0]

    def _load(self, plan: LoadPlan) -> None:
        stack = contextlib.ExitStack()
        try:
            engine = stack.enter_context(self._engines.apart(self._entry, plan, self._cancel))
        except LoadCancelled:
            raise Interrupted from None
        self._running[plan] = engine, stack

    def _end(self, plan: LoadPlan) -> None:
        self._running.pop(plan)[1].close()


def measure(
    engines: Engines,
    vetting: Vetting,
    library: Library,
    entry: ModelEntry,
    limit_s: float,
    cancel: Cancel,
    on_trial: Callable[[Trial], None] = lambda _trial: None,
) -> Tuning:
    """Try changes of a model's plan for about `limit_s`, and keep those that make it clearly faster.

    Nothing is kept before the end, so that whoever stops it finds the plan as it was. Models that nobody uses
    leave memory first; it takes the machine for itself, and other work on it makes the outcome worse.

    Args:
        engines: Load the trials.
        vetting: Tells what there is besides the processor.
        library: Keeps the outcome.
        entry: Of a model on this machine.
        limit_s: So long after the model was loaded no trial is begun any more.
        cancel: Stops it.
        on_trial: Told each outcome.

    Raises:
        EngineError: The model cannot be loaded as it is.
        ModelNotFound, ModelFileError, StarterUnavailable: There is nothing to load.
        Interrupted: `cancel` was set.
    """
    plan = engines.plan_for(entry)
    forecast = vetting.forecast(plan)
    engines.unload_unused()
    trials = Trials(engines, entry, plan, cancel)
    with contextlib.closing(trials):
        machine = Machine(
            n_cores=n_usable_cores(),
            n_threads=initial_threads(plan.n_threads),
            n_layers=trials.n_layers(),
            n_experts=entry.n_experts,
            has_devices=len(forecast.memory) > 1,
            can_repack=forecast.is_repacked or not plan.use_repack,
        )
        ends_at_s = time.monotonic() + limit_s
        found = tune(
            candidates(plan, machine), trials.compare, lambda: time.monotonic() > ends_at_s, on_trial
        )
    if found.before is not None:
        library.set_tuning(entry.name, found, datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"))
    return found
