from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_manager import plans
from model_manager.types import ALL_LAYERS, Adapter, EngineInfo, LoadPlan

GOOD: dict[str, Any] = {
    "n_ctx_tokens": 4096,
    "n_cpu_expert_layers": ALL_LAYERS,
    "tensor_overrides": [["attn", "CPU"]],
    "cache_type_k": "q8_0",
    "load_mode": "none",
    "use_repack": False,
    "rpc_devices": ["127.0.0.1:5"],
}


def test_kept_values_become_a_plan() -> None:
    plan = plans.applied(LoadPlan(Path("m")), plans.kept_values(GOOD), [Adapter(Path("a"), 0.5)])
    assert plan == LoadPlan(
        Path("m"),
        n_ctx_tokens=4096,
        n_cpu_expert_layers=ALL_LAYERS,
        tensor_overrides=(("attn", "CPU"),),
        cache_type_k="q8_0",
        load_mode="none",
        use_repack=False,
        rpc_devices=("127.0.0.1:5",),
        adapters=(Adapter(Path("a"), 0.5),),
    )
    hash(plan)  # plans are compared and looked up


def test_how_a_model_was_loaded_is_what_was_not_the_default() -> None:
    info = EngineInfo("m", "a", 512, 2048, 2, 8, 2, False, 3, "", "llama.cpp")
    assert plans.noted(LoadPlan(Path("m"), name="m"), info) == {"n_ctx_tokens": 512, "n_threads": 3}
    plan = plans.applied(LoadPlan(Path("m")), plans.kept_values(GOOD), [Adapter(Path("a"), 0.5)])
    noted = json.loads(json.dumps(plans.noted(replace(plan, draft_path=Path("d")), info)))
    assert noted["tensor_overrides"] == [["attn", "CPU"]]
    assert (noted["adapters"], noted["draft_path"]) == ([{"path": "a", "scale": 0.5}], "d")
    assert noted["n_ctx_tokens"] == 512


@pytest.mark.parametrize("kept", [None, 5, "x", [], {"n_ctx_tokens": "many", "model_path": "/etc", "x": 1}])
def test_what_another_program_kept_is_no_harm(kept: object) -> None:
    assert plans.kept_values(kept) == {}
    assert plans.kept_adapters(kept) == ()


def test_changes_are_merged_and_taken_back() -> None:
    values = plans.changed(
        {"n_ctx_tokens": 1024, "n_threads": 2}, {"n_ctx_tokens": None, "n_batch_tokens": 64}
    )
    assert values == {"n_threads": 2, "n_batch_tokens": 64}


@pytest.mark.parametrize(
    "change",
    [
        {"model_path": "/x"},
        {"n_ctx_tokens": -1},
        {"n_ctx_tokens": True},
        {"n_cpu_expert_layers": -2},
        {"n_parallel": 9},
        {"cache_type_k": "q9"},
        {"load_mode": "magic"},
        {"use_repack": 1},
        {"tensor_overrides": [["a"]]},
        {"rpc_devices": [1]},
        {"n_batch_tokens": 0},
    ],
)
def test_a_change_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        plans.changed({}, change)


def test_adapters_survive_being_kept() -> None:
    adapters = (Adapter(Path("/a b.gguf"), 0.25), Adapter(Path("c")))
    assert plans.kept_adapters(plans.adapter_values(adapters)) == adapters
