from __future__ import annotations

import json

from app.sampling import merge, parameters
from model_manager.types import SamplingParams


def test_nothing_set_is_the_default() -> None:
    options = merge({}, {})
    assert options.sampling == SamplingParams()
    assert options.thinking == "auto"
    assert options.think_budget_tokens is None


def test_later_layers_win_and_none_leaves_it() -> None:
    options = merge(
        {"temperature": 0.1, "seed": 1, "thinking": "on", "think_budget_tokens": 9},
        {"temperature": 0.2, "seed": None, "thinking": "off"},
        {"think_budget_tokens": None},
    )
    assert options.sampling.temperature == 0.2
    assert options.sampling.seed == 1
    assert options.thinking == "off"
    assert options.think_budget_tokens == 9


def test_zero_is_a_value() -> None:
    assert merge({"temperature": 0.7}, {"temperature": 0.0}).sampling.temperature == 0.0


def test_unknown_names_and_values_are_ignored() -> None:
    options = merge({"from_a_later_version": 3, "thinking": "a lot", "reasoning_history": "some"})
    assert options.reasoning_history == "template"
    assert options.sampling == SamplingParams()
    assert options.thinking == "auto"


def test_parameters_are_json_and_make_the_same_options() -> None:
    options = merge({"stop": ["END"], "logit_bias": {5: -1.0}, "top_k": 3, "thinking": "on"})
    assert options.sampling.stop == ("END",)
    values = parameters(options)
    assert values["stop"] == ["END"]
    assert values["logit_bias"] == {"5": -1.0}
    again = merge(json.loads(json.dumps(values)))
    assert again.thinking == "on"
    assert again.sampling.top_k == 3
    thought = merge({"think_nudge_tokens": 7, "reasoning_history": "last"}, {"reasoning_history": None})
    assert merge(parameters(thought)) == thought
    assert dict(again.sampling.logit_bias) == {5: -1.0}
