"""What tokens would have cost elsewhere, at a list of prices that a person keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from storage.records import Cost

ANY_MODEL: Final = "*"
KINDS: Final = ("input", "cached", "output")
EXAMPLE: Final = '{"currency": "USD", "per_million": {"*": {"input": 0.5, "cached": 0.1, "output": 2}}}'
_PER: Final = 1_000_000


def is_price_list(value: Any) -> bool:
    """Whether a value has the form of the setting `prices`.

    That of `EXAMPLE`, by the names of models, `*` for all others. Without `cached`, what was cached costs as
    much as the rest of the input.
    """
    if value == {}:
        return True
    if not isinstance(value, dict) or set(value) != {"currency", "per_million"}:
        return False
    prices = value["per_million"]
    return (
        isinstance(value["currency"], str)
        and isinstance(prices, dict)
        and all(isinstance(price, dict) and _is_price(price) for price in prices.values())
    )


def price_of(cost: Cost, prices: Mapping[str, Any]) -> float | None:
    """What a sum would have cost, in the list's currency; None where the list has no price for the model."""
    listed = prices.get("per_million", {})
    price = listed.get(cost.model_name, listed.get(ANY_MODEL))
    if price is None:
        return None
    fresh_tokens = cost.prompt_tokens - cost.cached_tokens
    total = fresh_tokens * price["input"] + cost.cached_tokens * price.get("cached", price["input"])
    return float(total + cost.completion_tokens * price["output"]) / _PER


def _is_price(price: dict[str, Any]) -> bool:
    numbers = all(type(value) in (int, float) and 0 <= value < math.inf for value in price.values())
    return numbers and {"input", "output"} <= set(price) <= set(KINDS)
