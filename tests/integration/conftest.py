"""Real workers with the real starter, shared by the tests of this folder.

A test that ends, stops or starves a worker starts one of its own with `new_supervisor`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_manager import starter
from model_manager.engine.supervisor import Supervisor
from model_manager.engine.threads import SPIN_ENVIRONMENT
from model_manager.types import EngineState, LoadPlan

# As a worker does it: read once, when llama.cpp is loaded, and without it a busy machine is a standstill.
for _name, _value in SPIN_ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

WORKER_COMMAND = (sys.executable, "-m", "model_manager.engine.worker")


@pytest.fixture(scope="session")
def starter_path() -> Path:
    """The mixture, made once a machine; the dense file comes from `make setup`."""
    return starter.ensure_starter()


@pytest.fixture(scope="session")
def runtime_dir() -> Iterator[Path]:
    """Short enough for a socket, which a folder of pytest is not."""
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder:
        yield Path(folder) / "run"


@pytest.fixture(scope="session")
def starter_engine(starter_path: Path, runtime_dir: Path) -> Iterator[Supervisor]:
    """A ready worker with the mixture; four answers at a time."""
    yield from _running(LoadPlan(starter_path, name="starter", n_ctx_tokens=4096), runtime_dir)


@pytest.fixture(scope="session")
def thinking_engine(starter_path: Path, runtime_dir: Path) -> Iterator[Supervisor]:
    """A ready worker with the mixture whose template opens a thinking block."""
    plan = LoadPlan(
        starter_path, name="starter-thinking", n_ctx_tokens=2048, chat_template=starter.THINKING_TEMPLATE
    )
    yield from _running(plan, runtime_dir)


def _running(plan: LoadPlan, runtime_dir: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(WORKER_COMMAND, runtime_dir, lambda state: None)
    supervisor.start(plan)
    supervisor.wait_ready(120)
    yield supervisor
    supervisor.stop()


@pytest.fixture
def new_supervisor(runtime_dir: Path) -> Iterator[Callable[..., Supervisor]]:
    """`new_supervisor(states, **options)`: appends every state to `states`; stopped after the test."""
    made: list[Supervisor] = []

    def make(states: list[EngineState] | None = None, **options: object) -> Supervisor:
        command = options.pop("command", WORKER_COMMAND)
        note = (lambda state: None) if states is None else states.append
        supervisor = Supervisor(command, runtime_dir, note, **options)  # type: ignore[arg-type]  # passed through
        made.append(supervisor)
        return supervisor

    yield make
    for supervisor in made:
        supervisor.stop()


@pytest.fixture(scope="session")
def dense_path() -> Path:
    """The small dense file, for tests that want a model fast."""
    path = starter.dense_path()
    assert path.is_file(), "run `make setup` first"
    return path


@pytest.fixture(autouse=True)
def worker_finds_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is started with the repository as its folder of imports, wherever a test changed to."""
    root = str(Path(__file__).resolve().parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])))
