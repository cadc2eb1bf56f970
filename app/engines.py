"""Which model is loaded, and loading another when it is wanted.

One chat model is loaded at a time: its weights may fill the machine. Whoever wants another waits until the
running answers of the first have ended; then its worker ends, and with it all its memory.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_manager import starter
from model_manager.engine.client import Cancel, EngineClient
from model_manager.engine.supervisor import Supervisor
from model_manager.entries import read_files
from model_manager.errors import StarterUnavailable
from model_manager.types import EngineInfo, EngineState, LoadPlan, ModelEntry

log = logging.getLogger(__name__)

_CANCEL_POLL_S = 0.1

Listener = Callable[[EngineState], None]


class LoadCancelled(Exception):
    """The one who waited for a model no longer wants it; the loading goes on."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A loaded model that somebody uses.

    Attributes:
        client: Speaks to its worker.
        info: What it turned out to be.
        entry: Its entry in the library.
    """

    client: EngineClient
    info: EngineInfo
    entry: ModelEntry


class Engines:
    """The worker that runs, if any. All methods may be called from any thread."""

    def __init__(
        self,
        worker_command: Sequence[str],
        runtime_dir: Path,
        n_ctx_tokens: Callable[[], int],
    ) -> None:
        """Prepare; nothing is loaded yet.

        Args:
            worker_command: What starts a worker, see `Supervisor`.
            runtime_dir: For its socket.
            n_ctx_tokens: The context that a person has set; 0 for the model's own.
        """
        self._n_ctx_tokens = n_ctx_tokens
        self._changed = threading.Condition()
        self._listeners: list[Listener] = []
        self._plan: LoadPlan | None = None
        self._entry: ModelEntry | None = None
        self._n_users = 0
        self._supervisor = Supervisor(worker_command, runtime_dir, self._on_state)

    @property
    def state(self) -> EngineState:
        """Of the model that is loaded, loading or was last."""
        return self._supervisor.state

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker; None while there is none."""
        return self._supervisor.pid

    def subscribe(self, listener: Listener) -> None:
        """`listener` is told every state, on some other thread."""
        self._listeners.append(listener)

    @contextlib.contextmanager
    def use(self, entry: ModelEntry, cancel: Cancel | None = None) -> Iterator[Engine]:
        """A loaded model, for as long as one is inside; loads it, or loads it again after it died.

        Raises:
            ModelNotFound, ModelFileError, StarterUnavailable: There is nothing to load.
            LoadFailed, ContextTooLarge, EngineDied, EngineStalled: The loading failed.
            LoadCancelled: `cancel` was set while waiting.
        """
        plan = self._plan_for(entry)
        with self._changed:
            while plan != self._plan and self._n_users > 0:
                self._changed.wait(_CANCEL_POLL_S)
                _check(cancel)
            if plan != self._plan or self._supervisor.state.status not in ("ready", "loading"):
                self._plan, self._entry = plan, entry
                self._supervisor.start(plan)
            self._n_users += 1
        try:
            info = self._wait_ready(cancel)
            yield Engine(self._supervisor.client, info, entry)
        finally:
            with self._changed:
                self._n_users -= 1
                self._changed.notify_all()

    def unload(self, entry_name: str | None = None) -> None:
        """End the worker and give its memory back; only if it holds `entry_name`, where one is given."""
        with self._changed:
            if entry_name is not None and (self._entry is None or self._entry.name != entry_name):
                return
            self._plan = self._entry = None
            # Whoever wants a model meanwhile waits: the end of this worker would be told as that of the next.
            self._supervisor.stop()

    def close(self) -> None:
        """End the worker; answers that still run are cut off."""
        self.unload()

    def _wait_ready(self, cancel: Cancel | None) -> EngineInfo:
        while True:
            _check(cancel)
            try:
                return self._supervisor.wait_ready(_CANCEL_POLL_S)
            except TimeoutError:
                continue

    def _plan_for(self, entry: ModelEntry) -> LoadPlan:
        if entry.name in (starter.STARTER, starter.STARTER_THINKING) and entry.is_starter:
            starter.ensure_starter()
        elif entry.is_starter and not starter.dense_is_intact():
            raise StarterUnavailable(entry.paths[0])
        # A damaged header is said in its own words, before a process is started for it.
        read_files(entry.paths[0])
        return LoadPlan(
            model_path=entry.paths[0],
            n_ctx_tokens=self._n_ctx_tokens(),
            chat_template=entry.chat_template,
            name=entry.name,
        )

    def _on_state(self, state: EngineState) -> None:
        if state.status != "loading":
            log.info("engine %s is %s", state.name, state.status)
        for listener in list(self._listeners):
            listener(state)


def _check(cancel: Cancel | None) -> None:
    if cancel is not None and cancel.is_set:
        raise LoadCancelled
