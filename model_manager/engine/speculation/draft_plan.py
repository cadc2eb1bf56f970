"""How a draft model is loaded beside the model it guesses for, and what the two take together."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from model_manager.engine.memory import added
from model_manager.types import Forecast, LoadPlan

DRAFT_BATCH_TOKENS: Final = 128
"""Most tokens that a draft reads in one go: what it is behind by delays the tokens of all answers."""


def draft_plan(plan: LoadPlan, n_ctx_tokens: int) -> LoadPlan:
    """The plan of the draft: the same devices, threads and kinds of numbers, nothing else.

    Args:
        plan: Of the model that answers; it names a draft.
        n_ctx_tokens: As long as the draft's context should be.
    """
    assert plan.draft_path is not None
    return LoadPlan(
        plan.draft_path,
        n_ctx_tokens=n_ctx_tokens,
        n_batch_tokens=DRAFT_BATCH_TOKENS,
        n_threads=plan.n_threads,
        n_gpu_layers=plan.n_gpu_layers,
        n_parallel=plan.n_parallel,
        cache_type_k=plan.cache_type_k,
        cache_type_v=plan.cache_type_v,
        load_mode=plan.load_mode,
        use_repack=plan.use_repack,
        rpc_devices=plan.rpc_devices,
        speculation="off",
    )


def together(model: Forecast, draft: Forecast) -> Forecast:
    """What both take, device by device; the rest is the model's."""
    names = [device.device for device in (*model.memory, *draft.memory)]
    free = dict(zip(reversed(names), reversed((*model.free_bytes, *draft.free_bytes)), strict=True))
    memory = added(model.memory, draft.memory)
    return replace(model, memory=memory, free_bytes=tuple(free[device.device] for device in memory))
