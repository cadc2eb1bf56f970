"""The models that are in memory at the same time: which of them there is room for, and who must go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import psutil

from model_manager.engine.supervisor import Supervisor
from model_manager.kv_cache import ContextSize, cache_bytes
from model_manager.shards import GgufModel
from model_manager.types import LoadPlan, ModelEntry

_SHARE_OF_MEMORY = 0.8
_OVERHEAD_BYTES = 256 * 2**20
_DEFAULT_CTX_TOKENS = 8192


@dataclass(slots=True, eq=False)
class Slot:
    """A worker and who uses it.

    Attributes:
        need_bytes: Forecast of its memory, weights and context.
        n_users: Inside `Engines.use`.
        used_at_s: When it was touched last, on the monotonic clock.
    """

    entry: ModelEntry
    plan: LoadPlan
    supervisor: Supervisor
    need_bytes: int
    n_users: int = 0
    used_at_s: float = field(default_factory=time.monotonic)

    @property
    def is_up(self) -> bool:
        """It is there, or is going to be."""
        return self.supervisor.state.status in ("ready", "loading")


class Slots:
    """What is loaded, the least recently used first. Belongs to whoever holds the lock of `Engines`."""

    def __init__(self, limit_bytes: Callable[[], int]) -> None:
        """Nothing is loaded yet.

        Args:
            limit_bytes: Memory that models may take together; 0 leaves it to the machine.
        """
        self._limit_bytes = limit_bytes
        self._slots: list[Slot] = []

    def __iter__(self) -> Iterator[Slot]:
        return iter(list(self._slots))

    @property
    def latest(self) -> Slot | None:
        """The one that was used last."""
        return self._slots[-1] if self._slots else None

    def find(self, plan: LoadPlan) -> Slot | None:
        """The one that holds just this."""
        return next((slot for slot in self._slots if slot.plan == plan), None)

    def find_but_for_adapters(self, plan: LoadPlan) -> Slot | None:
        """One that would hold just this if it had other LoRA adapters."""
        return next(
            (slot for slot in self._slots if replace(slot.plan, adapters=plan.adapters) == plan), None
        )

    def add(self, slot: Slot) -> None:
        """A new one; it counts as used now."""
        self._slots.append(slot)

    def touch(self, slot: Slot) -> None:
        """It is used now."""
        slot.used_at_s = time.monotonic()
        if slot in self._slots:
            # At once, for readers without the lock.
            self._slots = [other for other in self._slots if other is not slot] + [slot]

    def remove(self, slot: Slot) -> None:
        """It is gone."""
        if slot in self._slots:
            self._slots.remove(slot)

    def in_the_way(self, plan: LoadPlan, need_bytes: int) -> list[Slot] | None:
        """What must end before `plan` is loaded, the least recently used first; None while that cannot be.

        A model that is too large for the limit by itself is let in alone: whether it can be loaded at all is
        for llama.cpp to say.
        """
        leaving = [slot for slot in self._slots if slot.plan.name == plan.name]
        staying = [slot for slot in self._slots if slot.plan.name != plan.name]
        for slot in self._slots:
            if self._fits(staying, need_bytes):
                break
            if slot in staying and slot.n_users == 0:
                staying.remove(slot)
                leaving.append(slot)
        is_busy = any(slot.n_users for slot in leaving) or not self._fits(staying, need_bytes)
        return None if is_busy else leaving

    def _fits(self, staying: list[Slot], need_bytes: int) -> bool:
        staying = [slot for slot in staying if slot.is_up]
        if not staying:
            return True
        taken_bytes = sum(slot.need_bytes for slot in staying)
        return taken_bytes + need_bytes <= self._limit()

    def _limit(self) -> int:
        """What a person has set, else a share of the memory, less what other programs hold of it."""
        limit_bytes = self._limit_bytes()
        if limit_bytes:
            return limit_bytes
        memory = psutil.virtual_memory()
        held_bytes = sum(slot.need_bytes for slot in self._slots if slot.is_up)
        return min(int(memory.total * _SHARE_OF_MEMORY), memory.available + held_bytes)


def forecast_bytes(model: GgufModel, plan: LoadPlan) -> int:
    """Roughly what a worker with this plan takes: weights, keys and values of the context, and buffers.

    The buffers are a guess, as nothing is computed here: the probe, which knows, takes a process.
    """
    header = model.header
    n_ctx = plan.n_ctx_tokens or min(header.n_ctx_train_tokens or _DEFAULT_CTX_TOKENS, _DEFAULT_CTX_TOKENS)
    n_ubatch = plan.n_ubatch_tokens or plan.n_batch_tokens
    context = ContextSize(n_ctx, plan.n_parallel, n_ubatch, plan.cache_type_k, plan.cache_type_v)
    cache = cache_bytes(header, context)
    files = [path for path in (plan.draft_path, plan.mmproj_path) if path is not None and path.is_file()]
    beside_bytes = sum(path.stat().st_size for path in files)
    return model.size_bytes + beside_bytes + cache.kv_bytes + cache.state_bytes + _OVERHEAD_BYTES
