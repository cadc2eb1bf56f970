"""Each figure against the plainest way to count it."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from model_manager.engine.routing import NO_EXPERT, Routing
from model_manager.engine.routing_summary import stack_distances, summarize, summary_body

Layers = list[list[list[int]]]


def routing(layers: Layers, n_experts: int) -> Routing:
    """Of lists by layer, token and rank, all tokens of a layer with as many experts."""
    n_tokens = len(layers[0]) if layers else 0
    n_ranks = max((len(row) for table in layers for row in table), default=0)
    experts = np.full((len(layers), n_tokens, n_ranks), NO_EXPERT, np.int16)
    for layer, table in enumerate(layers):
        for token, row in enumerate(table):
            experts[layer, token, : len(row)] = row
    return Routing(
        n_layers=len(layers),
        n_experts=n_experts,
        n_experts_used=n_ranks,
        token_ids=tuple(range(n_tokens)),
        texts=("",) * n_tokens,
        layers=tuple(range(len(layers))),
        experts=experts,
        weights=np.ones(experts.shape, np.float32),
        source="replay",
    )


@st.composite
def layers_of(draw: st.DrawFn) -> tuple[Layers, int]:
    n_experts = draw(st.integers(1, 9))
    n_tokens = draw(st.integers(1, 30))
    random = draw(st.randoms(use_true_random=False))
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        n_used = random.randint(1, n_experts)
        layers.append([random.sample(range(n_experts), n_used) for _ in range(n_tokens)])
    return layers, n_experts


def lru_hits(table: list[list[int]], size: int) -> int:
    """Accesses that a cache which is really kept has ready."""
    cache: list[int] = []
    hits = 0
    for row in table:
        for expert in row:
            if expert in cache:
                hits += 1
                cache.remove(expert)
            cache.insert(0, expert)
            del cache[size:]
    return hits


@settings(deadline=None)
@given(layers_of())
def test_figures_are_those_of_plain_counting(given_layers: tuple[Layers, int]) -> None:
    layers, n_experts = given_layers
    summary = summarize(routing(layers, n_experts))
    for layer, table in enumerate(layers):
        counts = Counter(expert for row in table for expert in row)
        assert summary.load[layer].tolist() == [counts[expert] for expert in range(n_experts)]
        assert summary.working_set[layer] == len(counts)
        shares = [n / counts.total() for n in counts.values()]
        bits = -sum(share * math.log2(share) for share in shares)
        assert summary.entropy[layer] == pytest.approx(
            bits / math.log2(n_experts) if n_experts > 1 else 0, abs=1e-9
        )
        again = [expert in before for before, row in itertools.pairwise(table) for expert in row]
        if again:
            assert summary.reuse[layer] == pytest.approx(sum(again) / len(again))
        else:
            assert math.isnan(summary.reuse[layer])


@settings(deadline=None)
@given(layers_of())
def test_cache_sizes_are_those_of_a_cache_that_is_kept(given_layers: tuple[Layers, int]) -> None:
    layers, n_experts = given_layers
    n_accesses = sum(len(row) for table in layers for row in table)
    hits = [sum(lru_hits(table, size) for table in layers) for size in range(1, n_experts + 1)]
    for percent, size in summarize(routing(layers, n_experts)).cache_experts.items():
        enough = [i + 1 for i, n in enumerate(hits) if n * 100 >= percent * n_accesses]
        assert size == (enough[0] if enough else None)


def test_distance_counts_the_experts_used_since() -> None:
    experts = np.array([[[3], [1], [1], [3], [2], [3]], [[0], [0], [-1], [0], [1], [0]]], np.int16)
    assert stack_distances(experts, 4)[:, :, 0].tolist() == [[0, 0, 1, 2, 0, 2], [0, 1, 0, 1, 0, 2]]


def test_always_the_same_expert_has_no_entropy_and_a_cache_of_one() -> None:
    summary = summarize(routing([[[2]] * 100], 8))
    assert summary.entropy.tolist() == [0]
    assert summary.reuse.tolist() == [1]
    assert summary.cache_experts == {50: 1, 80: 1, 95: 1}


def test_each_expert_once_is_never_ready() -> None:
    summary = summarize(routing([[[n] for n in range(8)]], 8))
    assert summary.entropy.tolist() == [1]
    assert summary.cache_experts == {50: None, 80: None, 95: None}


def test_body_is_json_also_where_there_is_nothing() -> None:
    assert summary_body(summarize(routing([[[1, 0]]], 2))) == {
        "load": [[1, 1]],
        "entropy": [1.0],
        "working_set": [2],
        "reuse": [None],
        "cache_experts": {"50": None, "80": None, "95": None},
    }
    dense = summary_body(summarize(routing([], 0)))
    assert dense["load"] == dense["entropy"] == dense["working_set"] == dense["reuse"] == []
