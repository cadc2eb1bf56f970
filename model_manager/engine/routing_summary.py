"""What the routing of some tokens adds up to: who is busy, who is needed again, what a cache would catch.

Pure arithmetic. Layers without experts do not count; a place that a layer does not use is no access.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model_manager.engine.routing import NO_EXPERT, Routing

CACHE_PERCENTS: Final = (50, 80, 95)
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class RoutingSummary:
    """One row or number for each layer that has experts, in the order of `Routing.layers`.

    Attributes:
        load: int64, (n_layers, n_experts); how many tokens went to each expert.
        entropy: float64, (n_layers,); of the load, 1 where all experts are used alike, 0 where always the
            same one is.
        working_set: int64, (n_layers,); experts that were used at all.
        reuse: float64, (n_layers,); share of a token's experts that the token before it had used too; NaN
            for less than two tokens.
        cache_experts: Percent of all accesses to how many experts of each layer a cache must hold to have
            them ready, when the one that was not needed for longest makes room (LRU). None where no size is
            enough, since each expert is missing when it is needed for the first time.
    """

    load: NDArray[np.int64]
    entropy: NDArray[np.float64]
    working_set: NDArray[np.int64]
    reuse: NDArray[np.float64]
    cache_experts: dict[int, int | None]


def summarize(routing: Routing) -> RoutingSummary:
    """The figures of a routing."""
    load = _load(routing.experts, routing.n_experts)
    distances = stack_distances(routing.experts, routing.n_experts)
    return RoutingSummary(
        load=load,
        entropy=_entropy(load),
        working_set=(load > 0).sum(axis=1),
        reuse=_reuse(routing.experts),
        cache_experts=_cache_sizes(distances, int(load.sum())),
    )


def summary_body(summary: RoutingSummary) -> dict[str, Any]:
    """As JSON values; a number that there is none of is null."""

    def numbers(values: NDArray[np.float64]) -> list[float | None]:
        return [None if np.isnan(value) else round(float(value), _DIGITS) for value in values]

    return {
        "load": summary.load.tolist(),
        "entropy": numbers(summary.entropy),
        "working_set": summary.working_set.tolist(),
        "reuse": numbers(summary.reuse),
        "cache_experts": {str(percent): size for percent, size in summary.cache_experts.items()},
    }


def _load(experts: NDArray[np.int16], n_experts: int) -> NDArray[np.int64]:
    load = np.zeros((len(experts), n_experts), np.int64)
    for layer, table in enumerate(experts):
        load[layer] = np.bincount(table[table != NO_EXPERT], minlength=n_experts)[:n_experts]
    return load


def _entropy(load: NDArray[np.int64]) -> NDArray[np.float64]:
    if load.shape[1] < 2:
        return np.zeros(len(load))
    share = load / np.maximum(load.sum(axis=1, keepdims=True), 1)
    bits = -(share * np.log2(share, where=share > 0, out=np.zeros_like(share))).sum(axis=1)
    return np.asarray(bits / np.log2(load.shape[1]), np.float64)


def _reuse(experts: NDArray[np.int16]) -> NDArray[np.float64]:
    before, after = experts[:, :-1, :, None], experts[:, 1:, None, :]
    is_used = experts[:, 1:] != NO_EXPERT
    is_again = (before == after).any(axis=2) & is_used
    n_used = is_used.sum(axis=(1, 2)).astype(np.float64)
    n_used[n_used == 0] = np.nan
    return np.asarray(is_again.sum(axis=(1, 2)) / n_used, np.float64)


def stack_distances(experts: NDArray[np.int16], n_experts: int) -> NDArray[np.int64]:
    """How far down in the order of last use each access finds its expert.

    Args:
        experts: (n_layers, n_tokens, n_ranks); a layer is a sequence of accesses of its own, token by token
            and within a token by rank.
        n_experts: Ids are below.

    Returns:
        int64, (n_layers, n_tokens, n_ranks): 1 for the expert that was used last, so that a cache of that
        many experts has it; 0 for the first use of an expert and for no access.
    """
    n_layers, n_tokens, n_ranks = experts.shape
    last_use = np.full((n_layers, max(n_experts, 1)), -1, np.int64)
    distances = np.zeros(experts.shape, np.int64)
    rows = np.arange(n_layers)
    for token in range(n_tokens):
        for rank in range(n_ranks):
            expert = experts[:, token, rank]
            is_access = expert != NO_EXPERT
            used_at = last_use[rows, expert]
            is_known = is_access & (used_at >= 0)
            deeper = (last_use > used_at[:, None]).sum(axis=1) + 1
            distances[is_known, token, rank] = deeper[is_known]
            last_use[rows[is_access], expert[is_access]] = token * n_ranks + rank
    return distances


def _cache_sizes(distances: NDArray[np.int64], n_accesses: int) -> dict[int, int | None]:
    """The smallest size whose hits are at least so many percent of the accesses."""
    hits = np.cumsum(np.bincount(distances[distances > 0].ravel()))
    sizes: dict[int, int | None] = {}
    for percent in CACHE_PERCENTS:
        enough = np.flatnonzero(hits * 100 >= percent * n_accesses)
        sizes[percent] = int(enough[0]) if n_accesses and len(enough) else None
    return sizes
