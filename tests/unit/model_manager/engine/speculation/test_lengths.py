from __future__ import annotations

from model_manager.engine.speculation.lengths import Guesser, choose_lengths

# Milliseconds of a call on two cores by its rows, dense and mixture.
DENSE = {1: 8.2, 2: 12.0, 3: 15.0, 5: 20.0, 9: 31.0, 17: 62.0}


def dense(n_rows: int) -> float:
    below = max(rows for rows in DENSE if rows <= n_rows)
    return DENSE[below] + 3.5 * (n_rows - below)


def bound_by_bandwidth(n_rows: int) -> float:
    return 50.0 + 0.1 * n_rows


def by_the_row(n_rows: int) -> float:
    return 10.0 * n_rows


def test_sure_guesses_are_taken_while_rows_are_cheap() -> None:
    assert choose_lengths([Guesser(0.99, 16)], 1, 16, dense) == [8]  # the eight after them cost too much
    assert choose_lengths([Guesser(0.99, 16)], 1, 16, bound_by_bandwidth) == [16]


def test_unlikely_guesses_are_not() -> None:
    assert choose_lengths([Guesser(0.3, 16)], 1, 16, dense) == [0]


def test_length_follows_the_chance() -> None:
    lengths = [choose_lengths([Guesser(chance, 16)], 1, 16, dense)[0] for chance in (0.6, 0.8, 0.9, 0.99)]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_where_rows_cost_nothing_any_chance_is_good() -> None:
    assert choose_lengths([Guesser(0.3, 16)], 1, 16, bound_by_bandwidth) == [4]


def test_where_each_row_costs_a_call_none_is() -> None:
    assert choose_lengths([Guesser(0.99, 16)], 1, 16, by_the_row) == [0]


def test_guesses_that_cost_as_much_as_a_token_are_not_made() -> None:
    assert choose_lengths([Guesser(0.99, 16, cost_s=8.2)], 1, 16, dense) == [0]
    assert choose_lengths([Guesser(0.99, 16, cost_s=0.8)], 1, 16, dense) != [0]


def test_rows_go_to_the_likelier_answer() -> None:
    first, second = choose_lengths([Guesser(0.2, 16), Guesser(0.95, 16)], 2, 8, bound_by_bandwidth)
    assert second > first
    assert first + second <= 8


def test_limits_hold() -> None:
    assert choose_lengths([Guesser(1.0, 3), Guesser(0.0, 0)], 2, 16, bound_by_bandwidth) == [3, 0]
    assert choose_lengths([], 0, 16, bound_by_bandwidth) == []
