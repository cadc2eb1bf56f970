"""How much memory this machine has to give now: other programs and loaded models are taken off."""

from __future__ import annotations

import functools
import json
import logging
import subprocess
from typing import Any

from app.services import Services, self_command
from model_manager.engine.devices import may_have_cards
from model_manager.engine.room import free_main_memory_bytes, total_main_memory_bytes
from model_manager.fit_types import Machine
from model_manager.types import EngineState

log = logging.getLogger(__name__)

_REPORT_TIMEOUT_S = 60
_GIB = 2**30
_CARDS = ("gpu", "igpu")


def this_machine(services: Services | None = None, apart_from: str = "") -> Machine:
    """This one, as free as it is now.

    The weights of a loaded model are pages of its file, which the system counts as free; whoever takes them
    makes that model slow, so they count as taken here.

    Args:
        services: Who knows what is loaded; None where nothing is.
        apart_from: A model that is judged: what it takes while it is loaded is its own to have.
    """
    states = services.engines.states() if services is not None else []
    loaded = [(state.name, *_memory(state)) for state in states if state.status == "ready"]
    others = [(name, mapped + hard) for name, mapped, hard in loaded if name != apart_from]
    own_bytes = sum(hard for name, _mapped, hard in loaded if name == apart_from)
    mapped_bytes = sum(mapped for name, mapped, _hard in loaded if name != apart_from)
    return Machine(
        ram_bytes=max(0, free_main_memory_bytes() + own_bytes - mapped_bytes),
        vram_bytes=_free_vram_bytes(),
        ram_total_bytes=total_main_memory_bytes(),
        loaded=tuple(others),
    )


def machine_of(ram_gib: float | None, vram_gib: float | None) -> Machine | None:
    """A machine that is described; None where nothing is. All of its memory counts as free."""
    if ram_gib is None and vram_gib is None:
        return None
    ram_bytes = int(ram_gib * _GIB) if ram_gib is not None else free_main_memory_bytes()
    return Machine(ram_bytes, int((vram_gib or 0) * _GIB), ram_bytes)


def _memory(state: EngineState) -> tuple[int, int]:
    """Main memory of a loaded model: pages of its file, and the rest."""
    placement = state.info.placement if state.info is not None else None
    if placement is None:
        return 0, 0
    main = [device for device in placement.memory if device.device == "CPU"]
    mapped_bytes = sum(device.mapped_bytes for device in main)
    return mapped_bytes, placement.own_bytes + sum(device.total_bytes for device in main) - mapped_bytes


def _free_vram_bytes() -> int:
    if not _has_card():
        return 0  # and there will be none later: a build is for one kind of device
    return sum(device["free_bytes"] for device in _devices() if device["kind"] in _CARDS)


@functools.cache
def _has_card() -> bool:
    if not may_have_cards():
        return False  # half a second saved, for most
    return any(device["kind"] in _CARDS for device in _devices())


def _devices() -> list[dict[str, Any]]:
    """As a process of its own tells them: a driver that ends the process takes nobody with it."""
    try:
        done = subprocess.run(
            [*self_command(), "system-report"],
            capture_output=True,
            timeout=_REPORT_TIMEOUT_S,
            check=True,
        )
        return list(json.loads(done.stdout)["devices"])
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        log.info("graphics cards cannot be asked: %s", error)
        return []
