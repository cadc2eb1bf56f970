"""What loading would take, told by llama.cpp itself: it makes model and context without their memory.

Only a recurrent state is really allocated. The weights come from the tensor table, by the devices that the
layers got. Run it in a process of its own: files that llama.cpp cannot stand end the process.
Source: llama.cpp@0c1e57098 include/llama.h (`no_alloc`), common/fit.cpp, which does the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from model_manager.adapter_files import adapter_bytes, check_adapters
from model_manager.engine import memory
from model_manager.engine.llama import hardware, library
from model_manager.engine.llama.library import native_log
from model_manager.engine.llama.model import LlamaModel, context_plan, ctx_tokens
from model_manager.engine.llama.mtp import MtpContext
from model_manager.engine.llama.vision import Vision, tower_bytes
from model_manager.engine.memory import LoadReport
from model_manager.engine.room import free_main_memory_bytes
from model_manager.engine.weights import weights_by_device
from model_manager.errors import LoadFailed
from model_manager.shards import read_model
from model_manager.tensor_patterns import MAIN_MEMORY, overrides_of
from model_manager.types import DeviceMemory, Forecast, LoadPlan

_CTX_STEP_TOKENS = 256


class EmptyModel:
    """A model without weights, whose contexts are made only to be measured."""

    def __init__(self, plan: LoadPlan) -> None:
        """Read the file's header and make what can be made of it.

        Raises:
            LoadFailed, ModelFileError: It is no model that llama.cpp knows.
            BadOverride, UnknownDevice, BadExpertCount, RpcUnreachable, AdapterRefused, AdapterMismatch: The
                plan cannot be followed.
        """
        self._plan = plan
        files = read_model(plan.model_path)
        check_adapters(plan.adapters, files, plan.name or plan.model_path.stem)
        library.start()
        with native_log.gathering() as lines:
            self._model = LlamaModel.load(plan, lambda _permille: None, no_alloc=True)
        self._loading = lines
        self._names = hardware.buffer_names(plan.rpc_devices)
        report = memory.read_log(lines)
        self._n_offloaded = sum(
            memory.device_of(device, self._names) != MAIN_MEMORY for device in report.layers.values()
        )
        self._weights = weights_by_device(
            [header.tensors for header in files.headers],
            report,
            overrides_of(plan, files.header.n_layers) if self._n_offloaded else (),
            self._names,
            library.system_info(),
        )
        self._tower = self._tower_memory()

    def forecast(self) -> Forecast:
        """Of the context that the plan wants.

        Raises:
            ContextTooLarge, LoadFailed: It cannot be made.
        """
        n_ctx = ctx_tokens(self._plan, self._model.n_ctx_train_tokens)
        report, found = self._with_context(n_ctx)
        return Forecast(
            n_ctx_tokens=n_ctx,
            n_ctx_train_tokens=self._model.n_ctx_train_tokens,
            memory=found,
            free_bytes=tuple(self._free_bytes(device.device) for device in found),
            n_layers_offloaded=self._n_offloaded,
            is_repacked=report.is_repacked,
        )

    def fitting_ctx_tokens(self, room: Mapping[str, int]) -> int:
        """The longest context, at most the plan's, that leaves no device short of its room; 0 for none."""
        most = ctx_tokens(self._plan, self._model.n_ctx_train_tokens) // _CTX_STEP_TOKENS
        least = 0  # known to fit, or no context at all
        while least < most:
            middle = (least + most + 1) // 2
            if self._fits(middle * _CTX_STEP_TOKENS, room):
                least = middle
            else:
                most = middle - 1
        return least * _CTX_STEP_TOKENS

    def _fits(self, n_ctx_tokens: int, room: Mapping[str, int]) -> bool:
        _report, found = self._with_context(n_ctx_tokens)
        return all(hard_bytes(device) <= room.get(device.device, 0) for device in found)

    def _with_context(self, n_ctx_tokens: int) -> tuple[LoadReport, tuple[DeviceMemory, ...]]:
        with native_log.gathering() as lines:
            context = self._model.new_context(context_plan(self._plan, n_ctx_tokens))
        guessing: tuple[DeviceMemory, ...] = ()
        if self._plan.speculation == "mtp":
            layers = MtpContext(context)
            guessing = layers.memory
            layers.close()
        context.close()
        report = memory.read_log([*self._loading, *lines])
        found = {device.device: device for device in memory.device_memory(report, self._names)}
        main_memory = found.get(MAIN_MEMORY, DeviceMemory(MAIN_MEMORY))
        found[MAIN_MEMORY] = replace(main_memory, adapter_bytes=adapter_bytes(self._plan.adapters))
        # Else what lies between the tensors is a few bytes of alignment.
        is_mixed = len(self._weights) > 1 or self._weights[MAIN_MEMORY].repacked_bytes > 0
        for name, weights in self._weights.items():
            is_mapped = name == MAIN_MEMORY and self._plan.load_mode in ("auto", "mmap")
            mapped_bytes = weights.size_bytes - weights.repacked_bytes if is_mapped else 0
            found[name] = replace(
                found.get(name, DeviceMemory(name)),
                weights_bytes=weights.size_bytes,
                mapped_bytes=mapped_bytes,
                spare_bytes=weights.span_bytes - mapped_bytes if is_mapped and is_mixed else 0,
            )
        return report, memory.added(tuple(found.values()), guessing, self._tower)

    def _tower_memory(self) -> tuple[DeviceMemory, ...]:
        """Of the vision tower; it is really made, since it has no other way to tell what it takes.

        So its file is vetted as well. One that does not fit is not tried, only counted.
        """
        path = self._plan.mmproj_path
        if path is None:
            return ()
        weights_bytes = tower_bytes(path)
        if weights_bytes > free_main_memory_bytes():
            return (DeviceMemory(MAIN_MEMORY, vision_bytes=weights_bytes),)
        tower = Vision(self._model, path, 1)
        tower.close()
        return tower.memory

    def _free_bytes(self, device_name: str) -> int:
        if device_name == MAIN_MEMORY:
            return free_main_memory_bytes()
        endpoints = self._plan.rpc_devices
        known = [*hardware.devices(), *(d for endpoint in endpoints for d in hardware.add_rpc(endpoint))]
        for device in known:
            if device.buffer_name == device_name:
                return device.memory()[0]
        raise LoadFailed(self._model.name, f"no device {device_name}")


def hard_bytes(device: DeviceMemory) -> int:
    """What must really be free: pages of the file come and go as the system likes."""
    return device.total_bytes - device.mapped_bytes
