from __future__ import annotations

import pytest

from model_manager.engine.speculation.costs import CallCosts


def test_nothing_is_known_at_first() -> None:
    assert CallCosts().estimate_s(1) is None


def test_more_rows_are_guessed_from_one() -> None:
    costs = CallCosts()
    costs.observe(1, 0.010)
    assert costs.estimate_s(1) == 0.010
    assert costs.estimate_s(6) == pytest.approx(0.030)


def test_between_what_was_seen_is_a_line() -> None:
    costs = CallCosts()
    costs.observe(1, 0.010)
    costs.observe(9, 0.026)
    assert costs.estimate_s(5) == pytest.approx(0.018)
    assert costs.estimate_s(17) == pytest.approx(0.042)


def test_fewer_rows_than_any_that_was_seen_cost_no_more() -> None:
    costs = CallCosts()
    costs.observe(4, 0.010)
    assert costs.estimate_s(2) == 0.010


def test_call_that_was_held_up_hardly_counts() -> None:
    costs = CallCosts()
    costs.observe(1, 0.010)
    costs.observe(1, 10.0)
    estimate = costs.estimate_s(1)
    assert estimate is not None
    assert estimate < 0.015


def test_number_that_is_not_seen_follows_the_machine() -> None:
    costs = CallCosts()
    costs.observe(1, 0.030)
    costs.observe(9, 0.090)
    for _ in range(50):
        costs.observe(1, 0.010)
    estimate = costs.estimate_s(9)
    assert estimate is not None
    assert estimate < 0.06
