"""Whether a model fits this machine, wherever the model is: in the library, in a file, or still on a hub."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from app.services import Services
from model_manager import speed, starter
from model_manager.anatomy import anatomy_of
from model_manager.engine.room import free_main_memory_bytes
from model_manager.entries import read_files
from model_manager.errors import ModelFileError, ModelManagerError, ModelNotFound
from model_manager.fit import Fit, Machine, fit
from model_manager.kv_cache import ContextSize
from model_manager.remote_model import read_remote
from model_manager.shards import GgufModel
from model_manager.speed import Observation, Pace, SpeedForecast
from model_manager.types import ModelEntry
from storage.records import Speed

log = logging.getLogger(__name__)

DEFAULT_CTX_TOKENS = 8192
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer about one model.

    Attributes:
        name: What was asked about.
        context: For this context.
        machine: On this machine.
    """

    name: str
    model: GgufModel
    context: ContextSize
    machine: Machine
    fit: Fit
    forecast: SpeedForecast


def judge(services: Services, ref: str, context: ContextSize, machine: Machine | None = None) -> Judged:
    """Read the headers and judge.

    Args:
        services: Where the library and the hub are.
        ref: An entry's name, a whole path, or a reference as for a download.
        context: With `n_ctx_tokens` 0, the model's own, at most 8192.
        machine: None is this one, as free as it is now.

    Raises:
        ModelManagerError: There is no such model, or its headers cannot be read.
    """
    name, model = find(services, ref)
    return judged(services, name, model, context, machine)


def judged(
    services: Services, name: str, model: GgufModel, context: ContextSize, machine: Machine | None = None
) -> Judged:
    """The same for headers that have been read; takes up to half a second, for the speed of this machine."""
    asked = context_for(model, context)
    here = machine or this_machine()
    found = fit(model, here, asked)
    forecast = SpeedForecast(None, None, "none")
    if here.vram_bytes == 0 and found.verdict in ("fits", "tight"):
        # Nothing is known of the speed of devices and disks that nobody has measured.
        read = found.memory.kv_bytes // 2
        anatomy = found.anatomy
        forecast = speed.forecast(_pace(services), anatomy.token_bytes, anatomy.active_params, read)
    return Judged(name, model, asked, here, found, forecast)


def context_for(model: GgufModel, context: ContextSize) -> ContextSize:
    """The same, with the model's own length, at most 8192, where none is asked for."""
    own_tokens = min(model.header.n_ctx_train_tokens or 4096, DEFAULT_CTX_TOKENS)
    return replace(context, n_ctx_tokens=context.n_ctx_tokens or own_tokens)


def this_machine() -> Machine:
    """This one, as free as it is now."""
    return Machine(free_main_memory_bytes())


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
        item = services.hub.resolve(ref)
        return item.name, read_remote(item, services.hub, services.http)
    return entry.name, read_files(_path_of(entry))


def _path_of(entry: ModelEntry) -> Path:
    if entry.name in (starter.STARTER, starter.STARTER_THINKING) and entry.is_starter:
        return starter.ensure_starter()
    return entry.paths[0]


def _pace(services: Services) -> Pace:
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
        observations.append(
            Observation(
                anatomy.token_bytes,
                anatomy.active_params,
                measured.decode_tokens_per_s,
                measured.prefill_tokens_per_s,
            )
        )
    return speed.pace_from(observations) or speed.measure_memory()


def _measured(services: Services, name: str) -> Speed | None:
    return services.storage.call(lambda store: store.speeds.of(name))


def machine_of(ram_gib: float | None, vram_gib: float | None) -> Machine | None:
    """A machine that is described; None where nothing is."""
    if ram_gib is None and vram_gib is None:
        return None
    ram_bytes = int(ram_gib * _GIB) if ram_gib is not None else free_main_memory_bytes()
    return Machine(ram_bytes, int((vram_gib or 0) * _GIB))
