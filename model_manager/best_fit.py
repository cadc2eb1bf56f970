"""The context, keys and values, and batch with which a model serves best, where nobody asked for others.

A model that runs from memory is worth more than the last bit of its keys and values, and those more than a
long context: so first their size is halved, then the context shortened. Long batches read prompts several
times faster where experts wait in main memory and the card works, since each expert is then copied once for
many tokens: worth the room of a layer or two, which make answers a little slower.
Source: notes D2 (batches of 2048 with experts on the processor; q8_0 keys and values with flash attention).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from model_manager.fit import Fit, fit
from model_manager.fit_types import Machine
from model_manager.kv_cache import ContextSize
from model_manager.shards import GgufModel
from model_manager.types import KvType

ContextReason = Literal["asked", "usual", "smaller_values", "shorter", "shorter_and_smaller"]
"""Why the context is as it is: a person's wish; a usual one; or what had to be cut for the model to fit."""

USUAL_CTX_TOKENS: Final = 8192
LEAST_CTX_TOKENS: Final = 2048
"""Shorter ones are of little use for chats."""
_LONG_BATCH_TOKENS: Final = 2048
_WORTH_OF_LONG_BATCH: Final = 0.1
"""So many more experts in main memory, as a share of those that are there."""
_GOOD: Final = ("fits", "tight")
_SMALLER: Final[KvType] = "q8_0"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person has asked for; 0 and None leave the choice."""

    n_ctx_tokens: int = 0
    cache_type: KvType | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What serves best."""

    fit: Fit
    context: ContextSize
    reason: ContextReason


def best_fit(model: GgufModel, machine: Machine, wishes: Wishes) -> Choice:
    """Choose; what was asked for stays. Where nothing helps, the verdict on the first choice stands."""
    first: Choice | None = None
    for context, reason in _contexts(model, machine, wishes):
        choice = Choice(fit(model, machine, context), context, reason)
        if choice.fit.verdict in _GOOD:
            return _with_long_batch(model, machine, choice)
        first = first or choice
    assert first is not None
    return first


def _contexts(
    model: GgufModel, machine: Machine, wishes: Wishes
) -> Iterator[tuple[ContextSize, ContextReason]]:
    own_tokens = min(model.header.n_ctx_train_tokens or USUAL_CTX_TOKENS // 2, USUAL_CTX_TOKENS)
    kinds: tuple[KvType, ...] = (wishes.cache_type,) if wishes.cache_type else ("f16", _SMALLER)
    asked = [
        ContextSize(wishes.n_ctx_tokens or own_tokens, cache_type_k=kind, cache_type_v=kind) for kind in kinds
    ]
    usual: ContextReason = "asked" if wishes.n_ctx_tokens else "usual"
    yield asked[0], usual
    for context in asked[1:]:
        yield context, "smaller_values"
    if wishes.n_ctx_tokens:
        return
    for context in asked:
        longest = fit(model, machine, context).fits_ctx_tokens
        if longest >= min(LEAST_CTX_TOKENS, own_tokens):
            reason: ContextReason = "shorter" if context is asked[0] else "shorter_and_smaller"
            yield replace(context, n_ctx_tokens=min(longest, own_tokens)), reason


def _with_long_batch(model: GgufModel, machine: Machine, choice: Choice) -> Choice:
    """The same with a long batch, if that costs neither the verdict nor much room for experts on the card."""
    plan = choice.fit.plan
    if plan.reason not in ("experts_in_ram", "all_on_device"):
        return choice
    context = replace(choice.context, n_ubatch_tokens=_LONG_BATCH_TOKENS)
    longer = fit(model, machine, context)
    before, after = choice.fit.places.ram.experts_bytes, longer.places.ram.experts_bytes
    is_as_good = (longer.verdict, longer.plan.reason) == (choice.fit.verdict, plan.reason)
    is_as_good = is_as_good and after <= before * (1 + _WORTH_OF_LONG_BATCH)
    return Choice(longer, context, choice.reason) if is_as_good else choice
