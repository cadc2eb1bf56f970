"""What tokens would have cost at a list of prices, and what is such a list."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.prices import EXAMPLE, is_price_list, price_of
from storage.records import Cost

PRICES: dict[str, Any] = {
    "currency": "USD",
    "per_million": {"small": {"input": 1, "cached": 0.5, "output": 4}, "*": {"input": 10, "output": 20}},
}
COST = Cost(
    "small",
    n_answers=2,
    prompt_tokens=3_000_000,
    cached_tokens=1_000_000,
    completion_tokens=500_000,
    reasoning_tokens=100_000,
    duration_s=60.0,
    energy_j=None,
)


def test_price_of_a_listed_model() -> None:
    assert price_of(COST, PRICES) == 2 + 0.5 + 2


def test_price_of_any_other_model() -> None:
    other = Cost("large", 1, 1_000_000, 500_000, 100_000, 0, 1.0, None)
    assert price_of(other, PRICES) == 10 + 2
    assert price_of(other, {"currency": "USD", "per_million": {}}) is None
    assert price_of(other, {}) is None


@pytest.mark.parametrize("value", [{}, PRICES, json.loads(EXAMPLE), {"currency": "€", "per_million": {}}])
def test_price_lists(value: object) -> None:
    assert is_price_list(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"currency": "USD"},
        {"currency": 1, "per_million": {}},
        {"currency": "USD", "per_million": {"*": {"input": 1}}},
        {"currency": "USD", "per_million": {"*": {"input": 1, "output": -1}}},
        {"currency": "USD", "per_million": {"*": {"input": True, "output": 1}}},
        {"currency": "USD", "per_million": {"*": {"input": 1, "output": 1, "more": 1}}},
        {"currency": "USD", "per_million": {"*": {"input": 1, "output": float("inf")}}},
        {"currency": "USD", "per_million": {"*": 3}},
    ],
)
def test_what_is_no_price_list(value: object) -> None:
    assert not is_price_list(value)
