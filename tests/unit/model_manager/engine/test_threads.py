from __future__ import annotations

import random
from collections.abc import Callable

from model_manager.engine.threads import WINDOW_CALLS, ThreadController, initial_threads

# Milliseconds a token on two cores, from design 4.1: idle, and with one of them busy.
IDLE = {2: 7.9, 1: 15.4}
BUSY = {2: 27.8, 1: 15.4}


def run(controller: ThreadController, cost: Callable[[int], float], n_calls: int, n_rows: int = 1) -> float:
    """Total milliseconds of `n_calls`."""
    total = 0.0
    for _ in range(n_calls):
        elapsed = cost(controller.n_threads)
        controller.observe(n_rows, elapsed)
        total += elapsed
    return total


def test_initial_threads_are_what_was_asked_for() -> None:
    assert initial_threads(3) == 3
    assert initial_threads() >= 1


def test_idle_machine_keeps_all_threads() -> None:
    controller = ThreadController(2)
    spent = run(controller, IDLE.__getitem__, 400)
    assert controller.n_threads == 2
    assert spent < 1.05 * 400 * IDLE[2]


def test_busy_core_is_given_up_and_taken_back() -> None:
    controller = ThreadController(2)
    run(controller, IDLE.__getitem__, 100)
    spent = run(controller, BUSY.__getitem__, 400)
    assert spent < 1.15 * 400 * BUSY[1]
    run(controller, IDLE.__getitem__, 64 * WINDOW_CALLS)
    assert controller.n_threads == 2


def test_core_that_was_missing_for_a_moment_is_soon_taken_back() -> None:
    controller = ThreadController(2)
    run(controller, IDLE.__getitem__, 100, n_rows=8)
    run(controller, lambda n: 3 * IDLE[n] if n > 1 else IDLE[n], 2 * WINDOW_CALLS, n_rows=8)
    assert controller.n_threads == 1
    run(controller, IDLE.__getitem__, 3 * WINDOW_CALLS, n_rows=8)
    assert controller.n_threads == 2


def test_machine_that_is_busy_from_the_start_is_noticed() -> None:
    controller = ThreadController(2)
    run(controller, BUSY.__getitem__, 2 * WINDOW_CALLS)
    assert controller.n_threads == 1


def test_attempts_in_vain_become_rare() -> None:
    controller = ThreadController(2)
    run(controller, BUSY.__getitem__, 1000)
    spent = run(controller, BUSY.__getitem__, 1000)
    assert spent < 1.04 * 1000 * BUSY[1]


def test_noise_alone_does_not_cost_a_core_for_long() -> None:
    noise = random.Random(4)
    controller = ThreadController(2)
    spent = run(controller, lambda n: IDLE[n] * noise.uniform(0.7, 1.6), 1000)
    assert spent < 1.15 * 1.15 * 1000 * IDLE[2]


def test_other_number_of_rows_is_not_mistaken_for_a_slow_machine() -> None:
    controller = ThreadController(2)
    run(controller, IDLE.__getitem__, 100)
    run(controller, lambda n: 4 * IDLE[n], 100, n_rows=8)
    assert controller.n_threads == 2


def test_many_threads_find_the_cores_that_are_free() -> None:
    controller = ThreadController(15)
    run(controller, lambda n: 60 / n if n <= 11 else 10.0, 100 * WINDOW_CALLS)
    assert 9 <= controller.n_threads <= 11


def test_one_core_has_nothing_to_decide() -> None:
    controller = ThreadController(1)
    run(controller, lambda _n: 5.0, 100)
    assert controller.n_threads == 1


def test_busy_machine_is_noticed_while_the_number_of_rows_changes() -> None:
    """As it does when guesses come and go."""
    dice = random.Random(3)
    for counts in ((1, 3), (1, 3, 5, 9, 17), (1, 1, 1, 2)):
        controller = ThreadController(2)
        n_threads = []
        for _ in range(24 * WINDOW_CALLS):
            n_threads.append(controller.n_threads)
            n_rows = dice.choice(counts)
            controller.observe(n_rows, BUSY[controller.n_threads] * (1 + n_rows / 2))
        later = n_threads[len(n_threads) // 2 :]
        assert later.count(1) > 0.7 * len(later)


def test_idle_machine_keeps_all_threads_while_the_number_of_rows_changes() -> None:
    dice = random.Random(3)
    controller = ThreadController(2)
    n_with_one = 0
    for _ in range(100 * WINDOW_CALLS):
        n_rows = dice.choice((1, 1, 3, 9, 17))
        n_with_one += controller.n_threads == 1
        controller.observe(n_rows, IDLE[controller.n_threads] * (1 + n_rows / 2))
    assert controller.n_threads == 2
    assert n_with_one < 4 * WINDOW_CALLS
