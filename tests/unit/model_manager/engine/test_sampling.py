from __future__ import annotations

import pytest

from model_manager.engine.sampling import Stage, history_tokens, is_plain_greedy, stages, usable_seed
from model_manager.types import SamplingParams


def names(params: SamplingParams) -> list[str]:
    return [stage.name for stage in stages(params, seed=1)]


def test_stages_put_top_k_before_top_p() -> None:
    params = SamplingParams(repeat_penalty=1.1, logit_bias={7: 1.0})
    expected = ["logit_bias", "penalties", "top_k", "top_p", "min_p", "temp", "dist"]
    assert names(params) == expected


def test_stages_leave_out_what_changes_nothing() -> None:
    params = SamplingParams(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0)
    assert names(params) == ["dist"]


def test_stages_of_the_rarer_samplers() -> None:
    params = SamplingParams(dry_multiplier=0.8, top_n_sigma=1.5, xtc_probability=0.5)
    expected = ["dry", "top_n_sigma", "top_k", "top_p", "min_p", "xtc", "temp", "dist"]
    assert names(params) == expected
    assert not is_plain_greedy(SamplingParams(temperature=0, dry_multiplier=0.8))
    assert history_tokens(params) > history_tokens(SamplingParams())


def test_temperature_zero_is_greedy_after_bias_and_penalties() -> None:
    params = SamplingParams(temperature=0, presence_penalty=0.5, logit_bias={3: -1.0})
    assert names(params) == ["logit_bias", "penalties", "greedy"]
    assert not is_plain_greedy(params)
    assert is_plain_greedy(SamplingParams(temperature=0, seed=5))
    assert not is_plain_greedy(SamplingParams(temperature=0.1))


def test_stages_carry_their_arguments_in_the_order_of_llama_cpp() -> None:
    params = SamplingParams(repeat_penalty=1.2, frequency_penalty=0.3, presence_penalty=0.4)
    assert stages(params, 9)[0] == Stage("penalties", (64, 1.2, 0.3, 0.4))
    assert stages(params, 9)[-1] == Stage("dist", (9,))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 2])
def test_seed_in_range_is_used_as_it_is(seed: int) -> None:
    assert usable_seed(seed) == seed


@pytest.mark.parametrize("seed", [-1, 2**32 - 1, 2**64])
def test_seed_outside_wraps_and_never_asks_llama_cpp_to_draw(seed: int) -> None:
    assert 0 <= usable_seed(seed) <= 2**32 - 2


def test_seed_is_drawn_when_none_is_given() -> None:
    assert len({usable_seed(None) for _ in range(8)}) > 1
