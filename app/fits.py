"""Whether a model fits this machine, wherever the model is: in the library, in a file, or still on a hub.

Three figures of memory are told as soon as they are there, and the best one judges: what the header says by
formulas, what llama.cpp says without the weights (`probe`), what the last load has taken (`measured`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from app.machine import this_machine
from app.services import Services
from model_manager import speed, starter
from model_manager.anatomy import Anatomy, anatomy_of
from model_manager.best_fit import Choice, ContextReason, Wishes, best_fit
from model_manager.disk_speed import measure_disk
from model_manager.entries import read_files
from model_manager.errors import ModelFileError, ModelManagerError, ModelNotFound
from model_manager.fit import Fit, fit
from model_manager.fit_types import PROCESS_BYTES, Machine, MemoryParts
from model_manager.kv_cache import ContextSize
from model_manager.measured_memory import MeasuredMemory, kept_measured
from model_manager.remote_model import read_remote
from model_manager.shards import GgufModel
from model_manager.speed import Observation, SpeedForecast
from model_manager.types import Forecast, ModelEntry
from model_manager.vision_files import find_mmproj
from storage.records import Speed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer about one model.

    Attributes:
        name: What was asked about.
        context: For this context.
        context_reason: Why this one.
        machine: On this machine.
        fit: By the probe's memory where there is one.
        formula: Memory by the header alone.
        probe: By llama.cpp; None for a model that is not here, and for a machine that is described.
        probe_error: Why there is none, though the file is here.
        measured: By the last load on this machine; None before one.
    """

    name: str
    model: GgufModel
    context: ContextSize
    context_reason: ContextReason
    machine: Machine
    fit: Fit
    forecast: SpeedForecast
    formula: MemoryParts
    probe: Forecast | None = None
    probe_error: Exception | None = None
    measured: MeasuredMemory | None = None

    @property
    def fits_file_bytes(self) -> int:
        """Size of a file like this that would fit with this context; 0 where not even an empty one would."""
        beside_weights = self.fit.memory.total_bytes - self.fit.anatomy.size_bytes
        room = self.fit.memory.total_bytes - self.fit.paged_bytes
        return max(0, room - beside_weights)


def judge(
    services: Services, ref: str, wishes: Wishes, machine: Machine | None = None, *, with_probe: bool = True
) -> Judged:
    """Read the headers and judge.

    Args:
        services: Where the library and the hub are.
        ref: An entry's name, a whole path, or a reference as for a download.
        wishes: What the context shall be; the rest is chosen.
        machine: None is this one, as free as it is now.
        with_probe: Ask llama.cpp, too, where the files are here; about half a second.

    Raises:
        ModelManagerError: There is no such model, or its headers cannot be read.
    """
    name, model = find(services, ref)
    return judged(services, name, model, wishes, machine, with_probe=with_probe)


def judged(
    services: Services,
    name: str,
    model: GgufModel,
    wishes: Wishes,
    machine: Machine | None = None,
    *,
    with_probe: bool = False,
) -> Judged:
    """The same for headers that have been read; takes up to half a second, for the speed of this machine."""
    here = machine or this_machine(services, name)
    choice = best_fit(model, here, wishes)
    formula, probe, problem = choice.fit.memory, None, None
    entry = _entry_of(services, name, model)
    if entry is not None and machine is None and with_probe:
        try:
            probe = _probe(services, entry, choice.context)
            told = _parts_of(probe, choice.fit, model.vision_bytes)
            choice = replace(choice, fit=fit(model, here, choice.context, told))
        except ModelManagerError as error:
            log.info("%s cannot be probed: %s", name, error)
            problem = error
    return Judged(
        name=name,
        model=model,
        context=choice.context,
        context_reason=choice.reason,
        machine=here,
        fit=choice.fit,
        forecast=_forecast(services, choice, is_here=machine is None),
        formula=formula,
        probe=probe,
        probe_error=problem,
        measured=kept_measured(entry.measured) if entry is not None else None,
    )


def find(services: Services, ref: str) -> tuple[str, GgufModel]:
    """The name and the headers of a model, of this machine or on a hub.

    Raises:
        ModelManagerError: As `judge`.
    """
    try:
        entry = services.library.get(ref)
    except ModelNotFound:
        if ref.startswith((".", "/", "~")):
            raise
        item = services.sources.resolve(ref)
        return item.name, read_remote(item, services.sources, services.http)
    model = read_files(_path_of(entry))
    tower = find_mmproj(model) or entry.mmproj_path
    return entry.name, replace(model, vision_bytes=_size_of(tower) if tower is not None else 0)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # gone since: then the model does not see


def _entry_of(services: Services, name: str, model: GgufModel) -> ModelEntry | None:
    """The entry whose files were read; None for a model that is not here."""
    path = model.paths[0]
    if not path.is_absolute() or not path.is_file():
        return None
    found = [entry for entry in services.library.list() if path in entry.paths]  # starters share a file
    named = [entry for entry in found if entry.name == name]
    return next(iter([*named, *found]), None) or services.library.get(str(path))


def _path_of(entry: ModelEntry) -> Path:
    if entry.name in (starter.STARTER, starter.STARTER_THINKING) and entry.is_starter:
        return starter.ensure_starter()
    return entry.paths[0]


# --- memory ----------------------------------------------------------------------------------------------


def _probe(services: Services, entry: ModelEntry, context: ContextSize) -> Forecast:
    plan = replace(
        services.engines.plan_for(entry),
        n_ctx_tokens=context.n_ctx_tokens,
        cache_type_k=context.cache_type_k,
        cache_type_v=context.cache_type_v,
    )
    return services.vetting.forecast(plan)


def _parts_of(probe: Forecast, formula: Fit, vision_bytes: int) -> MemoryParts:
    """The probe's figures by what they are for; it tells weights together, and headers tell them apart.

    It does not load what lets a model see.
    """
    total_bytes = sum(device.total_bytes for device in probe.memory) + vision_bytes
    named = {
        "attention_bytes": formula.memory.attention_bytes,
        "experts_bytes": formula.memory.experts_bytes,
        "kv_bytes": sum(device.kv_bytes for device in probe.memory),
        "compute_bytes": sum(device.compute_bytes for device in probe.memory),
    }
    return MemoryParts(**named, other_bytes=max(0, total_bytes + PROCESS_BYTES - sum(named.values())))


# --- speed -----------------------------------------------------------------------------------------------


def _forecast(services: Services, choice: Choice, *, is_here: bool) -> SpeedForecast:
    found = choice.fit
    if found.verdict == "does_not_fit":
        return SpeedForecast(None, None, "none")
    observations = _observations(services)
    in_ram = speed.pace_from([seen for seen in observations if not seen.is_on_device])
    # A card that somebody describes is not the one of this machine.
    on_device = speed.pace_from([seen for seen in observations if seen.is_on_device and is_here])
    reads = found.token_reads
    return speed.forecast(
        reads,
        found.anatomy.active_params,
        in_ram or speed.measure_memory(),
        on_device or speed.ordinary_card(),
        _disk_speed(services) if reads.disk_bytes else None,
    )


def _disk_speed(services: Services) -> float | None:
    """Of the disk that holds models, from one of them: rather from the models folder than from elsewhere."""
    paths = [path for entry in services.library.list() if not entry.address for path in entry.paths]
    paths.sort(key=lambda path: not path.is_relative_to(services.library.models_dir))
    return next((rate for path in paths if path.is_file() and (rate := measure_disk(path))), None)


def _observations(services: Services) -> Sequence[Observation]:
    observations = []
    for entry in services.library.list():
        if entry.address or entry.is_missing:
            continue
        measured = _measured(services, entry.name)
        if measured is None:
            continue
        try:
            anatomy = anatomy_of(read_files(_path_of(entry)))
        except (ModelFileError, ModelManagerError) as error:
            log.info("%s says nothing about the speed: %s", entry.name, error)
            continue
        memory = kept_measured(entry.measured)
        place = _place(memory, anatomy) if memory is not None else "ram"
        if place == "both":
            continue  # nobody knows which of the two it waited for
        observations.append(
            Observation(
                anatomy.token_bytes,
                anatomy.active_params,
                measured.decode_tokens_per_s,
                measured.prefill_tokens_per_s,
                is_on_device=place == "device",
            )
        )
    return observations


def _place(memory: MeasuredMemory, anatomy: Anatomy) -> Literal["ram", "device", "both"]:
    """Where the weights lay that a token reads; the table of tokens stays in main memory always."""
    if not memory.n_layers_offloaded:
        return "ram"
    here = sum(device.weights_bytes for device in memory.memory if device.device == "CPU")
    return "device" if here <= anatomy.input_bytes else "both"


def _measured(services: Services, name: str) -> Speed | None:
    return services.storage.call(lambda store: store.speeds.of(name))
