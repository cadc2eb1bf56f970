"""Finds how a model is loaded best on this machine, from paired measurements; it measures nothing itself.

A change of the plan is tried against the best plan so far, both measured in turns. It is taken only when it
is clearly better in the middle and worse in none of the pairs, because the noise of a desktop is larger than
most gains; a pair that is clearly worse ends the trial.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from model_manager.errors import EngineError
from model_manager.types import ALL_LAYERS, LoadPlan

PROMPT_TOKENS: Final = 512
ANSWER_TOKENS: Final = 256
"""A usual exchange: what is weighed is how long it takes."""

WORTHWHILE: Final = 1.03
HOPELESS: Final = 0.93
N_PAIRS: Final = 4

Changes = Mapping[str, Any]
"""Fields of `LoadPlan`, as `model_manager.plans` keeps them."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one run reached, in tokens a second."""

    prefill_tokens_per_s: float
    decode_tokens_per_s: float

    @property
    def exchange_s(self) -> float:
        """Seconds of a usual exchange."""
        return PROMPT_TOKENS / self.prefill_tokens_per_s + ANSWER_TOKENS / self.decode_tokens_per_s


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one change.

    Attributes:
        changes: Beside the best plan until then.
        speed: With them; None where the model could not be loaded so.
        gain: How many times faster a usual exchange was, median of the pairs; 0 where it was not measured.
        is_taken: Whether it belongs to the best plan from then on.
        error: Why it could not be loaded.
    """

    changes: Changes
    speed: Speed | None
    gain: float
    is_taken: bool
    error: EngineError | None = None


@dataclass(slots=True)
class Tuning:
    """The outcome, as far as it got.

    Attributes:
        changes: All that were taken.
        gain: Of all of them together; 1.0 where nothing was.
        before: The speed of the plan that was there.
        after: The speed of the best one.
        trials: In their order.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    gain: float = 1.0
    before: Speed | None = None
    after: Speed | None = None
    trials: list[Trial] = field(default_factory=list)


Pairs = Generator[tuple[Speed, Speed], None, None]
Compare = Callable[[Changes, Changes], Pairs]
"""Measures a plan with the first changes against one with the second, pair after pair, until it is closed; an
`EngineError` says that the second cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides which changes make sense.

    Attributes:
        n_cores: Cores that may be used.
        n_threads: Decode threads of the plan that is there.
        has_devices: Whether something besides the processor computes.
        can_repack: Whether there are weights that the processor would rearrange.
    """

    n_cores: int
    n_threads: int
    n_layers: int
    n_experts: int
    has_devices: bool
    can_repack: bool


def candidates(plan: LoadPlan, machine: Machine) -> list[Changes]:
    """Changes worth a trial, the most promising first."""
    tried: list[Changes] = []
    if machine.has_devices and machine.n_experts:
        places = (0, machine.n_layers // 2, ALL_LAYERS)
        tried += [{"n_cpu_expert_layers": n} for n in places if n != plan.n_cpu_expert_layers]
    if machine.has_devices and plan.n_batch_tokens < 2048:
        # Weights in main memory travel to the device once a batch.
        tried.append({"n_batch_tokens": 2048, "n_ubatch_tokens": 2048})
    counts = {machine.n_cores, machine.n_cores - 1, machine.n_cores // 2} - {machine.n_threads, 0}
    tried += [{"n_threads": n} for n in sorted(counts, reverse=True)]
    if machine.n_cores not in (machine.n_threads, plan.n_threads_batch):
        tried.append({"n_threads_batch": machine.n_cores})
    if machine.can_repack:
        tried.append({"use_repack": not plan.use_repack})
    tried += [
        {"n_ubatch_tokens": n} for n in (128, 256) if n != plan.n_ubatch_tokens and n < plan.n_batch_tokens
    ]
    kv = "f16" if plan.cache_type_k == "q8_0" else "q8_0"
    tried.append({"cache_type_k": kv, "cache_type_v": kv})
    return tried


def tune(
    tried: Sequence[Changes],
    compare: Compare,
    is_over: Callable[[], bool],
    on_trial: Callable[[Trial], None] = lambda _trial: None,
) -> Tuning:
    """Try changes one after the other, each beside those that were taken before.

    Args:
        tried: From `candidates`.
        compare: Measures.
        is_over: Asked before each trial; the time that a person gave is up.
        on_trial: Told each outcome.

    Returns:
        What was found so far when it was over.
    """
    found = Tuning()
    for changes in tried:
        if is_over():
            break
        trial = _try(found, changes, compare)
        found.trials.append(trial)
        if trial.is_taken:
            found.changes |= changes
            found.gain *= trial.gain
            found.after = trial.speed
        on_trial(trial)
    if found.after is None:
        found.after = found.before
    return found


def _try(found: Tuning, changes: Changes, compare: Compare) -> Trial:
    pairs: list[tuple[Speed, Speed]] = []
    measured = compare(found.changes, {**found.changes, **changes})
    try:
        for pair in measured:
            pairs.append(pair)
            gains = [base.exchange_s / other.exchange_s for base, other in pairs]
            if len(pairs) == N_PAIRS or gains[-1] < HOPELESS:
                break
    except EngineError as error:
        return Trial(changes, None, 0.0, is_taken=False, error=error)
    finally:
        measured.close()
    gain = statistics.median(gains)
    if found.before is None:
        found.before = _middle([base for base, _ in pairs])
    is_taken = len(pairs) == N_PAIRS and gain >= WORTHWHILE and min(gains) >= 1.0
    return Trial(changes, _middle([other for _, other in pairs]), gain, is_taken)


def _middle(speeds: Sequence[Speed]) -> Speed:
    return Speed(
        statistics.median(speed.prefill_tokens_per_s for speed in speeds),
        statistics.median(speed.decode_tokens_per_s for speed in speeds),
    )
