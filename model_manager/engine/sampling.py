"""From sampling parameters to an ordered list of sampler stages.

The stages are values; `llama.Sampler` makes the native chain from them. Order: what changes logits by token
(bias, penalties), then what removes candidates, the cheapest first, then temperature and the draw. top_k
stands before top_p, because top_p over a whole vocabulary sorts it (3.0 ms a token against 0.07 ms at
49,000).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from model_manager.types import SamplingParams

StageName = Literal[
    "logit_bias",
    "penalties",
    "dry",
    "top_n_sigma",
    "top_k",
    "top_p",
    "min_p",
    "xtc",
    "temp",
    "dist",
    "greedy",
]

# The window of llama-server: far enough to break a loop, near enough to leave the words of a long text alone.
PENALTY_WINDOW_TOKENS = 64

# Loops that "don't repeat yourself" shall see are as long as paragraphs.
DRY_WINDOW_TOKENS = 1024

_MIN_KEPT = 1
_MAX_SEED = 2**32 - 2  # llama.cpp takes 2**32 - 1 to mean "draw one yourself", which could not be reported


@dataclass(frozen=True, slots=True)
class Stage:
    """One sampler of a chain: `llama_sampler_init_<name>` and its arguments, except for the vocabulary."""

    name: StageName
    arguments: tuple[int | float, ...] = ()
    biases: tuple[tuple[int, float], ...] = ()


def draw_seed() -> int:
    """A fresh seed for an answer whose caller did not care."""
    return secrets.randbelow(_MAX_SEED + 1)


def usable_seed(seed: int | None) -> int:
    """The seed that is used and reported for the one that was asked for: 0 to 2**32 - 2.

    Any integer is accepted; those outside wrap around.
    """
    return draw_seed() if seed is None else seed % (_MAX_SEED + 1)


def is_plain_greedy(params: SamplingParams) -> bool:
    """Whether the next token is simply the one with the largest logit, so that no chain is needed."""
    changes_logits = bool(params.logit_bias) or _has_penalties(params) or params.dry_multiplier > 0
    return params.temperature <= 0 and not changes_logits


def history_tokens(params: SamplingParams) -> int:
    """How many of the last tokens of a prompt the chain wants to know."""
    return DRY_WINDOW_TOKENS if params.dry_multiplier > 0 else PENALTY_WINDOW_TOKENS


def stages(params: SamplingParams, seed: int) -> tuple[Stage, ...]:
    """The chain for `params`; a stage that would change nothing is left out."""
    chain: list[Stage] = []
    if params.logit_bias:
        chain.append(Stage("logit_bias", biases=tuple(sorted(params.logit_bias.items()))))
    if _has_penalties(params):
        chain.append(
            Stage(
                "penalties",
                (
                    PENALTY_WINDOW_TOKENS,
                    params.repeat_penalty,
                    params.frequency_penalty,
                    params.presence_penalty,
                ),
            )
        )
    if params.dry_multiplier > 0:
        dry = (params.dry_multiplier, params.dry_base, params.dry_allowed_length, DRY_WINDOW_TOKENS)
        chain.append(Stage("dry", dry))
    if params.temperature <= 0:
        return (*chain, Stage("greedy"))
    if params.top_n_sigma > 0:
        # Before anything is removed: it measures how all logits are spread.
        chain.append(Stage("top_n_sigma", (params.top_n_sigma,)))
    if params.top_k > 0:
        chain.append(Stage("top_k", (params.top_k,)))
    if params.top_p < 1:
        chain.append(Stage("top_p", (params.top_p, _MIN_KEPT)))
    if params.min_p > 0:
        chain.append(Stage("min_p", (params.min_p, _MIN_KEPT)))
    if params.xtc_probability > 0:
        chain.append(Stage("xtc", (params.xtc_probability, params.xtc_threshold, _MIN_KEPT, seed)))
    if params.temperature != 1:
        chain.append(Stage("temp", (params.temperature,)))
    return (*chain, Stage("dist", (seed,)))


def _has_penalties(params: SamplingParams) -> bool:
    return params.repeat_penalty != 1 or params.frequency_penalty != 0 or params.presence_penalty != 0
