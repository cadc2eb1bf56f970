"""Patterns of tensor names that say where tensors go, checked against a model's own table before a load.

Source: llama.cpp@0c1e57098 common/common.h (patterns of --cpu-moe), src/llama-model-loader.cpp (the first
match of `std::regex_search` wins).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from model_manager.errors import BadExpertCount, BadOverride, ContextTooLarge, NoGuessingLayers
from model_manager.shards import GgufModel
from model_manager.types import ALL_LAYERS, LoadPlan

MAIN_MEMORY: Final = "CPU"
EXPERTS: Final = r"ffn_(up|down|gate|gate_up)_(ch|)exps"
# What Python's expressions have and std::regex's do not; the rest means the same in both.
_PYTHON_ONLY: Final = re.compile(r"\(\?(?![:=!])|\\[AZ]")


def expert_patterns(n_layers: int) -> list[str]:
    """Patterns of the experts of the first `n_layers` layers, or of all."""
    if n_layers == ALL_LAYERS:
        return [rf"\.{EXPERTS}"]
    return [rf"blk\.{layer}\.{EXPERTS}" for layer in range(n_layers)]


def overrides_of(plan: LoadPlan, n_layers: int) -> list[tuple[str, str]]:
    """Every pattern of a plan with its device, in the order in which they win."""
    wanted = plan.n_cpu_expert_layers
    patterns = expert_patterns(wanted if wanted == ALL_LAYERS else min(wanted, n_layers))
    return [*plan.tensor_overrides, *((pattern, MAIN_MEMORY) for pattern in patterns)]


def check_plan(plan: LoadPlan, model: GgufModel) -> None:
    """See that what a plan says of a model's context, tensors, experts and guessing layers can be.

    Raises:
        ContextTooLarge, BadOverride, BadExpertCount, NoGuessingLayers: It cannot.
    """
    header = model.header
    if plan.n_ctx_tokens > header.n_ctx_train_tokens > 0:
        raise ContextTooLarge(plan.n_ctx_tokens, header.n_ctx_train_tokens)
    if plan.speculation == "mtp" and header.hyperparameter("nextn_predict_layers") < 1:
        raise NoGuessingLayers(plan.name or plan.model_path.stem)
    if plan.n_experts_used and not 1 <= plan.n_experts_used <= header.n_experts:
        raise BadExpertCount(plan.n_experts_used, header.n_experts)
    names = [tensor.name for tensor in model.tensors()]
    for pattern, _device in plan.tensor_overrides:
        check_pattern(pattern, names)
    if plan.n_cpu_expert_layers:
        if not header.n_experts:
            raise BadExpertCount(0, 0)
        check_pattern(rf"\.{EXPERTS}", names)


def check_pattern(pattern: str, tensor_names: Sequence[str]) -> None:
    """See that a pattern is one, and of something.

    Raises:
        BadOverride: It is not.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise BadOverride(pattern, str(error)) from error
    if not pattern or "\0" in pattern:
        raise BadOverride(pattern, "empty")
    if _PYTHON_ONLY.search(pattern):
        raise BadOverride(pattern, "look-behinds, flags and named groups are not supported")
    if not any(compiled.search(name) for name in tensor_names):
        raise BadOverride(pattern)
