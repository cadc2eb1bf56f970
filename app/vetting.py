"""What is asked before a model is loaded: is its file sound, is there room, may its devices be asked?

A probe takes half a second. Our own starters are known to be sound, so they are probed only where they might
not fit; every other file is looked at once for each plan.
"""

from __future__ import annotations

from model_manager import remote_devices
from model_manager.engine.probe import WORKER_BYTES, Prober
from model_manager.engine.room import free_main_memory_bytes
from model_manager.http import Http
from model_manager.types import Forecast, LoadPlan, ModelEntry

_PLENTY = 2


class Vetting:
    """Lets plans pass, or says why not; thread-safe."""

    def __init__(self, prober: Prober, http: Http) -> None:
        self._prober = prober
        self._http = http

    def before_load(
        self,
        entry: ModelEntry,
        plan: LoadPlan,
        rough_bytes: int,
        reclaimable_bytes: int,
        *,
        are_devices_free: bool = True,
    ) -> int:
        """See that a model may be loaded.

        Args:
            entry: The model.
            plan: How it is about to be loaded.
            rough_bytes: At most what it takes, by the formulas.
            reclaimable_bytes: Main memory that other models would give back for it.
            are_devices_free: False while a loaded model computes on an RPC device of the plan, which serves
                one process at a time; then nothing is probed.

        Returns:
            The main memory that it will take.

        Raises:
            NotEnoughMemory, ProbeFailed: It does not fit, or its file is not to be trusted.
            Offline: A device of the plan is on another machine.
            LoadFailed, ContextTooLarge, BadOverride, UnknownDevice, BadExpertCount, RpcUnreachable: llama.cpp
                would not load it.
        """
        self._admit_devices(plan)
        is_plain = not (
            plan.rpc_devices
            or plan.tensor_overrides
            or plan.n_cpu_expert_layers
            or plan.draft_path
            or plan.mmproj_path
        )
        if entry.is_starter and is_plain and rough_bytes * _PLENTY < free_main_memory_bytes():
            return rough_bytes
        if not are_devices_free:
            return rough_bytes
        found = self._prober.require_room(plan, reclaimable_bytes)
        return WORKER_BYTES + next(d.total_bytes for d in found.memory if d.device == "CPU")

    def forecast(self, plan: LoadPlan) -> Forecast:
        """What loading would take.

        Raises:
            ProbeFailed: The file is not to be trusted.
            Offline: A device of the plan is on another machine.
            LoadFailed, ContextTooLarge, BadOverride, UnknownDevice, BadExpertCount, RpcUnreachable: llama.cpp
                would not load it.
        """
        self._admit_devices(plan)
        return self._prober.forecast(plan)

    def _admit_devices(self, plan: LoadPlan) -> None:
        for endpoint in plan.rpc_devices:
            remote_devices.admit(endpoint, self._http)
