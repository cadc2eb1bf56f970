from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

from model_manager.errors import LoadFailed
from model_manager.tuning import N_PAIRS, Changes, Compare, Machine, Pairs, Speed, candidates, tune
from model_manager.types import ALL_LAYERS, LoadPlan

PLAN = LoadPlan(Path("x.gguf"))
TWO_CORES = Machine(n_cores=2, n_threads=2, n_layers=30, n_experts=8, has_devices=False, can_repack=True)


def machine(speed_of: Callable[[Changes], float], noise: float = 0.0) -> Compare:
    """One whose runs take what `speed_of` says, give or take."""
    dice = random.Random(1)

    def run(changes: Changes) -> Speed:
        rate = speed_of(changes) * dice.uniform(1 - noise, 1 + noise)
        return Speed(10 * rate, rate)

    def compare(base: Changes, other: Changes) -> Pairs:
        while True:
            yield run(base), run(other)

    return compare


def test_what_is_clearly_better_is_taken_and_built_upon() -> None:
    def speed(changes: Changes) -> float:
        return 100 * (1.2 if changes.get("n_threads") == 1 else 1) * (0.8 if changes.get("b") else 1)

    found = tune([{"n_threads": 1}, {"b": True}, {"c": 1}], machine(speed), lambda: False)
    assert found.changes == {"n_threads": 1}
    assert found.gain == 1.2
    assert found.before == Speed(1000, 100)
    assert found.after == Speed(1200, 120)
    assert [trial.is_taken for trial in found.trials] == [True, False, False]


def test_noise_alone_changes_nothing() -> None:
    tried = [{"n_threads": n} for n in range(200)]
    found = tune(tried, machine(lambda _changes: 100, noise=0.02), lambda: False)
    assert found.changes == {}
    assert found.gain == 1.0


def test_a_hopeless_change_is_measured_once() -> None:
    n_measured = itertools.count()

    def speed(changes: Changes) -> float:
        next(n_measured)
        return 50 if changes else 100

    (trial,) = tune([{"n_threads": 1}], machine(speed), lambda: False).trials
    assert next(n_measured) == 2
    assert trial.gain == 0.5
    assert not trial.is_taken


def test_a_plan_that_cannot_be_loaded_is_passed_over() -> None:
    def speed(changes: Changes) -> float:
        if "n_cpu_expert_layers" in changes:
            raise LoadFailed("x", "no room")
        return 200 if changes else 100

    found = tune([{"n_cpu_expert_layers": 0}, {"n_threads": 1}], machine(speed), lambda: False)
    assert isinstance(found.trials[0].error, LoadFailed)
    assert found.changes == {"n_threads": 1}


def test_it_ends_when_its_time_is_over_with_what_it_has() -> None:
    told = []
    found = tune(
        [{"n_threads": 1}, {"b": 1}], machine(lambda c: 100 + 50 * len(c)), lambda: bool(told), told.append
    )
    assert found.changes == {"n_threads": 1}
    assert told == found.trials
    assert N_PAIRS > 2


def test_candidates_differ_from_what_is_there_and_suit_the_machine() -> None:
    for plan in (PLAN, LoadPlan(Path("x.gguf"), use_repack=False, cache_type_k="q8_0", n_ubatch_tokens=128)):
        for changes in candidates(plan, TWO_CORES):
            assert any(getattr(plan, name) != value for name, value in changes.items())
    assert {"n_threads": 1} in candidates(PLAN, TWO_CORES)
    assert not any("n_cpu_expert_layers" in changes for changes in candidates(PLAN, TWO_CORES))
    many = Machine(n_cores=16, n_threads=15, n_layers=30, n_experts=8, has_devices=True, can_repack=False)
    tried = candidates(PLAN, many)
    assert {"n_cpu_expert_layers": ALL_LAYERS} in tried
    assert {"n_threads_batch": 16} in tried
    assert {"n_threads": 8} in tried
    assert {"use_repack": False} not in tried
