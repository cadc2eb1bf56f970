from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from model_manager.engine.routing import NO_EXPERT, Routing, joined, routing_body, routing_from, stacked
from model_manager.errors import RequestRefused


def a_routing(n_tokens: int = 3, seed: int = 0) -> Routing:
    """Two layers; the second uses one expert where the first uses two."""
    random = np.random.default_rng(seed)
    experts = [random.integers(0, 8, (n_tokens, 2)), random.integers(0, 8, (n_tokens, 1))]
    weights = [random.random((n_tokens, 2)), np.ones((n_tokens, 1))]
    return Routing(
        n_layers=4,
        n_experts=8,
        n_experts_used=2,
        token_ids=tuple(range(n_tokens)),
        texts=tuple("ab�"[:n_tokens]),
        layers=(1, 3),
        experts=stacked(experts, NO_EXPERT, np.int16, n_tokens),
        weights=stacked(weights, 0, np.float32, n_tokens),
        source="replay",
    )


def test_layers_may_use_different_numbers_of_experts() -> None:
    routing = a_routing()
    assert routing.experts.shape == (2, 3, 2)
    assert (routing.experts[1, :, 1] == NO_EXPERT).all()
    assert (routing.weights[1, :, 1] == 0).all()


def test_body_has_lists_by_layer_token_and_rank() -> None:
    body = routing_body(a_routing())
    assert list(body) == [
        "n_layers", "n_experts", "n_experts_used", "tokens", "layers", "experts", "weights", "source",
    ]  # fmt: skip
    assert body["tokens"][1] == {"id": 1, "text": "b"}
    assert [len(table) for table in body["experts"]] == [3, 3]
    assert [len(row) for row in body["experts"][0]] == [2, 2, 2]
    assert [len(row) for row in body["weights"][1]] == [1, 1, 1]


@pytest.mark.parametrize("n_tokens", [0, 1, 3])
def test_body_is_read_again(n_tokens: int) -> None:
    routing = a_routing(n_tokens)
    read = routing_from(json.loads(json.dumps(routing_body(routing))))
    assert (read.layers, read.token_ids, read.texts) == (routing.layers, routing.token_ids, routing.texts)
    assert (read.n_layers, read.n_experts, read.n_experts_used) == (4, 8, 2)
    if n_tokens:
        assert (read.experts == routing.experts).all()
        assert np.abs(read.weights - routing.weights).max() < 1e-6


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": None},
        {"experts": []},
        {"experts": "ab"},
        {"experts": [[[1]], [[1, 2]]]},
        {"weights": [[[0.5], [0.5, 0.5], []], []]},
        {"layers": ["x", "y"]},
        {"experts": [[[99999, 1]] * 3, [[1]] * 3]},
    ],
)
def test_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RequestRefused, match="not a routing"):
        routing_from(routing_body(a_routing()) | change)


def test_parts_are_joined_in_order() -> None:
    first, second = a_routing(3, seed=1), a_routing(2, seed=2)
    whole = joined([first, second])
    assert whole.n_tokens == 5
    assert whole.texts == ("a", "b", "�", "a", "b")
    assert (whole.experts[:, :3] == first.experts).all()
    assert (whole.weights[:, 3:] == second.weights).all()


def test_parts_of_different_layers_are_not_joined() -> None:
    other = Routing(
        4, 8, 2, (), (), (), np.zeros((0, 0, 0), np.int16), np.zeros((0, 0, 0), np.float32), "live"
    )
    with pytest.raises(ValueError, match="layers"):
        joined([a_routing(), other])
