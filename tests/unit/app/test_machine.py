"""What is free for a model: loaded models are taken off, but for the one that is judged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app import machine
from model_manager.types import DeviceMemory, EngineInfo, EngineState, Placement

GB = 10**9


def state(name: str, status: str = "ready") -> EngineState:
    memory = (
        DeviceMemory("CPU", weights_bytes=4 * GB, mapped_bytes=3 * GB, kv_bytes=GB),
        DeviceMemory("X", 9),
    )
    info = EngineInfo(
        name=name,
        architecture="llama",
        n_ctx_tokens=1,
        n_ctx_train_tokens=1,
        n_layers=1,
        n_experts=0,
        n_experts_used=0,
        can_think=False,
        n_threads=1,
        system_info="",
        engine="",
        placement=Placement(memory, own_bytes=100),
    )
    return EngineState(name, status, info=info)  # type: ignore[arg-type]  # of the two that are used here


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_main_memory_bytes", lambda: 20 * GB)
    monkeypatch.setattr(machine, "total_main_memory_bytes", lambda: 32 * GB)
    monkeypatch.setattr(machine, "_free_vram_bytes", lambda: 0)


def services(*states: EngineState) -> Any:
    return SimpleNamespace(engines=SimpleNamespace(states=lambda: list(states)))


def test_pages_of_loaded_models_are_not_free() -> None:
    found = machine.this_machine(services(state("a"), state("b", "loading")))
    # What it has besides, the system counts as taken already.
    assert found.ram_bytes == 17 * GB
    assert found.loaded == (("a", 5 * GB + 100),)
    assert found.ram_total_bytes == 32 * GB


def test_a_model_that_is_loaded_may_have_its_own_memory() -> None:
    found = machine.this_machine(services(state("a"), state("b")), apart_from="a")
    assert found.ram_bytes == 20 * GB - 3 * GB + 2 * GB + 100
    assert found.loaded == (("b", 5 * GB + 100),)
    assert machine.this_machine().ram_bytes == 20 * GB


def test_a_machine_that_is_described_is_all_free() -> None:
    assert machine.machine_of(None, None) is None
    described = machine.machine_of(8, 4)
    assert described is not None
    assert (described.ram_bytes, described.vram_bytes) == (8 << 30, 4 << 30)
    other = machine.machine_of(None, 4)
    assert other is not None
    assert other.ram_bytes == 20 * GB
