"""Engines that die, end or are given up while somebody wants them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engines import Engines, LoadCancelled
from model_manager import starter
from model_manager.engine.client import Cancel
from model_manager.errors import EngineDied
from model_manager.types import EngineState, ModelEntry
from tests.integration.conftest import WORKER_COMMAND

DEADLINE_S = 60


@pytest.fixture
def engines(runtime_dir: Path) -> Iterator[Engines]:
    engines = Engines(WORKER_COMMAND, runtime_dir, lambda: 1024)
    yield engines
    engines.close()


def _entry(name: str) -> ModelEntry:
    return next(entry for entry in starter.entries() if entry.name == name)


DENSE = _entry(starter.STARTER_DENSE)


def _load(engines: Engines) -> int:
    """Process id of the worker that has the dense model now."""
    with engines.use(DENSE):
        pid = engines.worker_pid
    assert pid is not None
    return pid


def _announced(engines: Engines, status: str) -> threading.Event:
    """Set when the engine's next state is this one."""
    event = threading.Event()
    engines.subscribe(lambda state: event.set() if state.status == status else None)
    return event


def test_states_are_told_in_order(engines: Engines) -> None:
    states: list[EngineState] = []
    engines.subscribe(states.append)
    _load(engines)
    engines.unload()
    assert {state.name for state in states} == {DENSE.name}
    loading = [state.load_permille for state in states if state.status == "loading"]
    assert loading[0] == 0
    assert loading == sorted(loading)
    assert [state.status for state in states[len(loading) :]] == ["ready", "stopped"]
    assert states[-2].info is not None


def test_template_of_its_own_is_another_load(engines: Engines) -> None:
    plain, thinking = _entry(starter.STARTER), _entry(starter.STARTER_THINKING)
    assert thinking.paths == plain.paths
    with engines.use(plain) as engine:
        assert not engine.info.can_think
        pid = engines.worker_pid
    with engines.use(thinking) as engine:
        assert engine.info.can_think
        assert engines.worker_pid != pid


def test_given_up_load_goes_on(engines: Engines) -> None:
    ready = _announced(engines, "ready")
    cancel = Cancel()
    cancel.set()
    with pytest.raises(LoadCancelled), engines.use(DENSE, cancel):
        pytest.fail("it was cancelled")
    assert ready.wait(DEADLINE_S)
    pid = engines.worker_pid
    assert _load(engines) == pid


def test_dead_worker_is_replaced(engines: Engines) -> None:
    pid = _load(engines)
    failed = _announced(engines, "failed")
    os.kill(pid, signal.SIGKILL)
    assert failed.wait(DEADLINE_S)
    assert isinstance(engines.state.error, EngineDied)
    assert _load(engines) != pid


def test_wanted_again_while_it_ends(engines: Engines) -> None:
    """A worker that does not react takes seconds to end; whoever comes meanwhile gets a new one."""
    pid = _load(engines)
    os.kill(pid, signal.SIGSTOP)
    unloading = threading.Thread(target=engines.unload)
    unloading.start()
    while engines._slots.latest is not None:
        unloading.join(0.01)
    again = _load(engines)
    unloading.join()
    assert again != pid
    assert engines.state.status == "ready"
    assert engines.worker_pid == again
