"""Which models are loaded, and loading others when they are wanted.

A worker for each model, as many as there is memory for. Whoever wants one that does not fit beside the others
takes the place of the least recently used one that nobody uses, or waits until there is such a one. Wishes
are met in the order of their arrival: while the first in line waits for room, nobody behind it goes ahead,
not even to a model that is there, or a busy model would keep the others out for ever.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.slots import Slot, Slots, forecast_bytes
from app.vetting import Vetting
from model_manager import plans, starter
from model_manager.engine.bodies import info_from
from model_manager.engine.client import Cancel, EngineClient
from model_manager.engine.room import anonymous_bytes
from model_manager.engine.supervisor import Supervisor
from model_manager.entries import read_files
from model_manager.errors import EngineError, EngineUnreachable, ModelNotFound, StarterUnavailable
from model_manager.types import EngineInfo, EngineState, LoadPlan, ModelEntry, TraceMode
from model_manager.vision_files import find_mmproj

log = logging.getLogger(__name__)

_CANCEL_POLL_S = 0.1

Listener = Callable[[EngineState], None]
PromptCachePlan = Callable[[], tuple[Path | None, int]]


class LoadCancelled(Exception):
    """The one who waited for a model no longer wants it; the loading goes on."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model that somebody uses.

    Attributes:
        client: Speaks to its worker, or to another server.
        info: What it turned out to be.
        entry: Its entry in the library.
        plan: How it was loaded; None for a model of another server.
    """

    client: EngineClient
    info: EngineInfo
    entry: ModelEntry
    plan: LoadPlan | None = None


class Engines:
    """The workers that run. All methods may be called from any thread."""

    def __init__(
        self,
        worker_command: Sequence[str],
        runtime_dir: Path,
        n_ctx_tokens: Callable[[], int],
        memory_limit_bytes: Callable[[], int] = lambda: 0,
        remote_client: Callable[[str], EngineClient] | None = None,
        prompt_cache: PromptCachePlan = lambda: (None, 0),
        unload_after_s: Callable[[], float] = lambda: 0.0,
        vetting: Vetting | None = None,
        trace: Callable[[], TraceMode] = lambda: "replay",
        on_used: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """Prepare; nothing is loaded yet.

        Args:
            worker_command: What starts a worker, see `Supervisor`.
            runtime_dir: For their sockets.
            n_ctx_tokens: The context that a person has set; 0 for the model's own.
            memory_limit_bytes: What all models may take together; 0 leaves it to the machine.
            remote_client: Speaks to the engine that has the entry of this name; None where there are none.
            prompt_cache: The folder for conversations' states, and what it may take; None for none.
            unload_after_s: A model that nobody used for so long leaves memory; 0 keeps it.
            vetting: Asked before anything is loaded; None lets everything pass.
            trace: Whether experts are noted while answers are made.
            on_used: Told the name of an entry each time that somebody begins to use it.
        """
        self._vetting = vetting
        self._trace = trace
        self._on_used = on_used
        self._vetting_turn = threading.Lock()
        self._worker_command = worker_command
        self._runtime_dir = runtime_dir
        self._n_ctx_tokens = n_ctx_tokens
        self._remote_client = remote_client
        self._prompt_cache = prompt_cache
        self._unload_after_s = unload_after_s
        self._unloading: threading.Timer | None = None
        self._changed = threading.Condition()
        self._listeners: list[Listener] = []
        self._slots = Slots(memory_limit_bytes)
        self._line: deque[object] = deque()
        self._last_state = EngineState(name="", status="stopped")

    @property
    def state(self) -> EngineState:
        """Of the model that was wanted last; once that is gone, its last one."""
        slot = self._slots.latest
        return slot.supervisor.state if slot is not None else self._last_state

    def state_of(self, entry_name: str) -> EngineState | None:
        """Of one model; None where it is not loaded."""
        states = [slot.supervisor.state for slot in self._slots if slot.plan.name == entry_name]
        return states[-1] if states else None

    def client_of(self, entry_name: str) -> EngineClient | None:
        """What speaks to a model that is ready; None for another."""
        for slot in self._slots:
            if slot.plan.name == entry_name and slot.supervisor.state.status == "ready":
                with contextlib.suppress(EngineError):
                    return slot.supervisor.client
        return None

    def states(self) -> list[EngineState]:
        """Of all models that are loaded, the least recently used first."""
        return [slot.supervisor.state for slot in self._slots]

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker of the model that was wanted last; None while there is none."""
        slot = self._slots.latest
        return slot.supervisor.pid if slot is not None else None

    def subscribe(self, listener: Listener) -> None:
        """`listener` is told every state of every model, on some other thread."""
        self._listeners.append(listener)

    @contextlib.contextmanager
    def use(self, entry: ModelEntry, cancel: Cancel | None = None) -> Iterator[Engine]:
        """A loaded model, for as long as one is inside; loads it, or loads it again after it died.

        Raises:
            ModelNotFound, ModelFileError, StarterUnavailable: There is nothing to load.
            LoadFailed, ContextTooLarge, EngineDied, EngineStalled: The loading failed.
            NotEnoughMemory, ProbeFailed, Offline: And what else `Vetting.before_load` raises.
            LoadCancelled: `cancel` was set while waiting.
        """
        self._on_used(entry.name)
        if entry.address:
            if self._remote_client is None:
                raise EngineUnreachable(entry.address, "there are no remote engines here")
            client = self._remote_client(entry.name)
            yield Engine(client, info_from({"name": entry.name, "engine": f"remote {entry.address}"}), entry)
            return
        plan, need_bytes = self._plan_for(entry)
        need_bytes = self._vet(entry, plan, need_bytes, cancel)
        slot = self._enter(entry, plan, need_bytes, cancel)
        try:
            info = self._wait_ready(slot.supervisor, cancel)
            yield Engine(slot.supervisor.client, info, entry, slot.plan)
        finally:
            with self._changed:
                slot.n_users -= 1
                self._slots.touch(slot)
                self._unload_later()
                self._changed.notify_all()

    @contextlib.contextmanager
    def apart(self, entry: ModelEntry, plan: LoadPlan, cancel: Cancel | None = None) -> Iterator[Engine]:
        """A model in a worker of its own, to be measured for as long as one is inside.

        Raises:
            ModelFileError: Its file cannot be used (one of its subclasses says why).
            LoadFailed, ContextTooLarge, EngineDied, EngineStalled, NotEnoughMemory, ProbeFailed, Offline: As
                `use`.
            LoadCancelled: `cancel` was set while waiting.
        """
        if self._vetting is not None:
            need_bytes = forecast_bytes(read_files(plan.model_path), plan)
            self._vetting.before_load(entry, plan, need_bytes, 0)
        supervisor = Supervisor(self._worker_command, self._runtime_dir, lambda _state: None)
        try:
            supervisor.start(plan)
            info = self._wait_ready(supervisor, cancel)
            yield Engine(supervisor.client, info, entry, plan)
        finally:
            supervisor.stop()

    def unload_unused(self) -> None:
        """End the workers that nobody uses just now."""
        with self._changed:
            for slot in self._slots:
                if slot.n_users == 0:
                    self._end(slot)

    def unload(self, entry_name: str | None = None) -> None:
        """End a model's worker and give its memory back; where no name is given, every worker."""
        with self._changed:
            # Whoever wants a model meanwhile waits: the end of this worker would be told as that of the next.
            for slot in self._slots:
                if entry_name in (None, slot.plan.name):
                    self._end(slot)

    def close(self) -> None:
        """End all workers; answers that still run are cut off."""
        with self._changed:
            timer, self._unloading = self._unloading, None
        if timer is not None:
            timer.cancel()
            timer.join()
        self.unload()

    # --- who leaves for want of use ----------------------------------------------------------------------

    def _unload_later(self) -> None:
        """Look again when the next model will have been unused for long enough; the lock is held."""
        limit_s = self._unload_after_s()
        unused = [slot.used_at_s for slot in self._slots if slot.n_users == 0]
        if self._unloading is None and limit_s > 0 and unused:
            delay_s = max(0.0, min(unused) + limit_s - time.monotonic())
            self._unloading = threading.Timer(delay_s, self._unload_unused)
            self._unloading.name = "unload-unused"
            self._unloading.daemon = True
            self._unloading.start()

    def _unload_unused(self) -> None:
        with self._changed:
            if self._unloading is None:  # closed meanwhile
                return
            self._unloading = None
            limit_s = self._unload_after_s()
            for slot in self._slots:
                if slot.n_users == 0 and 0 < limit_s <= time.monotonic() - slot.used_at_s:
                    log.info("%s was not used for a while and leaves memory", slot.plan.name)
                    self._end(slot)
            self._unload_later()
            self._changed.notify_all()

    def _vet(self, entry: ModelEntry, plan: LoadPlan, rough_bytes: int, cancel: Cancel | None) -> int:
        """See that a model may be loaded; of many that want it at once, one looks and the others profit."""
        if self._vetting is None:
            return rough_bytes
        while not self._vetting_turn.acquire(timeout=_CANCEL_POLL_S):
            _check(cancel)
        try:
            if self._is_up(plan):
                return rough_bytes
            used = {device for slot in self._slots if slot.is_up for device in slot.plan.rpc_devices}
            return self._vetting.before_load(
                entry,
                plan,
                rough_bytes,
                self._reclaimable_bytes(),
                are_devices_free=used.isdisjoint(plan.rpc_devices),
            )
        finally:
            self._vetting_turn.release()

    # --- who gets in -------------------------------------------------------------------------------------

    def _enter(self, entry: ModelEntry, plan: LoadPlan, need_bytes: int, cancel: Cancel | None) -> Slot:
        """Wait in line, begin to load if need be, and be one of the model's users."""
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            try:
                while self._line[0] is not ticket or (slot := self._admit(entry, plan, need_bytes)) is None:
                    self._changed.wait(_CANCEL_POLL_S)
                    _check(cancel)
                slot.n_users += 1
                self._slots.touch(slot)
                return slot
            finally:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _admit(self, entry: ModelEntry, plan: LoadPlan, need_bytes: int) -> Slot | None:
        """The model's slot, loading or ready; None while there is no room for it."""
        slot = self._slots.find(plan) or self._swapped(plan)
        if slot is not None and slot.is_up:
            return slot
        if slot is None:
            leaving = self._slots.in_the_way(plan, need_bytes)
            if leaving is None:
                return None
            for other in leaving:
                self._end(other)
            supervisor = Supervisor(self._worker_command, self._runtime_dir, self._on_state)
            slot = Slot(entry, plan, supervisor, need_bytes)
            self._slots.add(slot)
        slot.supervisor.start(plan)
        return slot

    def _swapped(self, plan: LoadPlan) -> Slot | None:
        """A model that is loaded with other adapters and that nobody uses, with those of `plan` instead."""
        slot = self._slots.find_but_for_adapters(plan)
        if slot is None or slot.n_users > 0 or slot.supervisor.state.status != "ready":
            return None
        slot.supervisor.client.set_adapters(plan.adapters)
        slot.plan = plan
        return slot

    def _end(self, slot: Slot) -> None:
        self._slots.remove(slot)
        slot.supervisor.stop()
        self._last_state = slot.supervisor.state

    def _wait_ready(self, supervisor: Supervisor, cancel: Cancel | None) -> EngineInfo:
        while True:
            _check(cancel)
            try:
                return supervisor.wait_ready(_CANCEL_POLL_S)
            except TimeoutError:
                continue

    def _is_up(self, plan: LoadPlan) -> bool:
        slot = self._slots.find(plan)
        return slot is not None and slot.is_up

    def _reclaimable_bytes(self) -> int:
        """Main memory of the workers that run: who must go is decided later."""
        return sum(anonymous_bytes(pid) for slot in self._slots if (pid := slot.supervisor.pid) is not None)

    def plan_for(self, entry: ModelEntry) -> LoadPlan:
        """How a model would be loaded now.

        Raises:
            ModelNotFound, ModelFileError, StarterUnavailable: There is nothing to load.
        """
        if entry.address:
            raise ModelNotFound(entry.name)  # another machine loads it
        return self._plan_for(entry)[0]

    def _plan_for(self, entry: ModelEntry) -> tuple[LoadPlan, int]:
        if entry.name in (starter.STARTER, starter.STARTER_THINKING) and entry.is_starter:
            starter.ensure_starter()
        elif entry.is_starter and not starter.dense_is_intact():
            raise StarterUnavailable(entry.paths[0])
        # A damaged header is said in its own words, before a process is started for it.
        model = read_files(entry.paths[0])
        cache_dir, cache_limit_bytes = self._prompt_cache()
        plan = LoadPlan(
            model_path=entry.paths[0],
            n_ctx_tokens=self._n_ctx_tokens(),
            chat_template=entry.chat_template,
            name=entry.name,
            mmproj_path=find_mmproj(model) or entry.mmproj_path,
            prompt_cache_dir=cache_dir if cache_limit_bytes > 0 else None,
            prompt_cache_limit_bytes=cache_limit_bytes,
            model_sha256=entry.sha256 or (),
            trace=self._trace(),
        )
        plan = plans.applied(plan, entry.plan, entry.adapters)
        return plan, forecast_bytes(model, plan)

    def _on_state(self, state: EngineState) -> None:
        if state.status != "loading":
            log.info("engine %s is %s", state.name, state.status)
        for listener in list(self._listeners):
            listener(state)


def _check(cancel: Cancel | None) -> None:
    if cancel is not None and cancel.is_set:
        raise LoadCancelled
