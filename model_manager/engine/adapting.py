"""Changes the LoRA adapters of a model that is in use, between its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from model_manager.engine.llama.context import LlamaContext
from model_manager.engine.prompt_cache import PromptCache
from model_manager.engine.scheduler import Scheduler
from model_manager.types import Adapter, EngineInfo


def change_adapters(
    context: LlamaContext,
    scheduler: Scheduler,
    adapters: tuple[Adapter, ...],
    cache_for: Callable[[LlamaContext], PromptCache | None],
) -> None:
    """Compute with these adapters and no others; blocks until the running answers have ended.

    What conversations had computed is saved and forgotten: it belongs to the former adapters.

    Args:
        context: The one that answers.
        scheduler: Its.
        adapters: Checked already.
        cache_for: The cache of what a context computes.

    Raises:
        AdapterRefused: llama.cpp cannot read one; nothing was changed.
        RequestRefused: The engine is ending.
    """
    model = context.model

    def change() -> None:
        if scheduler.keeper is not None:
            scheduler.keeper.save_all()
        model.adapters.use(adapters)
        scheduler.start_over()
        cache = cache_for(context)
        if scheduler.keeper is not None and cache is not None:
            scheduler.keeper.turn_to(cache)
        if model.n_contexts == 1:  # others may still compute with the former ones
            model.adapters.apply(context.handle)
            model.adapters.free_unused()

    scheduler.between.run(change)


def with_adapters(info: EngineInfo, adapters: tuple[Adapter, ...]) -> EngineInfo:
    """What a model is told to be afterwards."""
    if info.placement is None:
        return info
    return dataclasses.replace(info, placement=dataclasses.replace(info.placement, adapters=adapters))
