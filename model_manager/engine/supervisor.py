"""Starts, watches and ends one worker process. No caller needs to know that there is a process.

    stopped -> loading -> ready -> stopped        `stop`, at any moment
                  |         |
                  +-> failed <-+                  it refused the model, died or gave no sign of life

Threads of a run: one starts the process and waits for its end, one drains its stderr, one follows the
loading. All end with the process.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from model_manager.engine.bodies import info_from
from model_manager.engine.client import EngineClient
from model_manager.engine.failures import error_from
from model_manager.engine.launch import StartMessage
from model_manager.engine.process import WorkerProcess
from model_manager.errors import EngineError, EngineStalled, EngineUnreachable, LoadFailed
from model_manager.http import Client, HTTPError, Timeout, engine_client
from model_manager.types import EngineInfo, EngineState, LoadPlan

log = logging.getLogger(__name__)

STALL_TIMEOUT_S: Final = 120.0
STOP_GRACE_S: Final = 3.0
_MAX_SOCKET_PATH_BYTES: Final = 100
_POLL_S: Final = 0.01
_LOADING_POLL_S: Final = 0.1
_DEATH_WAIT_S: Final = 5.0


class Supervisor:
    """One worker process, started anew as often as wanted; thread-safe.

    `on_state` is called on threads of this object, never while a lock is held; it may call back.
    """

    def __init__(
        self,
        worker_command: Sequence[str],
        runtime_dir: Path,
        on_state: Callable[[EngineState], None],
        *,
        load_stall_s: float = STALL_TIMEOUT_S,
        request_stall_s: float = STALL_TIMEOUT_S,
        use_tcp: bool = sys.platform == "win32",
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            worker_command: What runs a worker.
            runtime_dir: Private folder for the socket; made with mode 0700.
            on_state: Told every change.
            load_stall_s: A load without a sign of life for so long has failed.
            request_stall_s: An answer without one has, too; the worker is then ended.
            use_tcp: Loopback with a token instead of a Unix socket.
        """
        self._command = tuple(worker_command)
        self._runtime_dir = runtime_dir
        self._on_state = on_state
        self._load_stall_s = load_stall_s
        self._request_stall_s = request_stall_s
        self._use_tcp = use_tcp
        self._changed = threading.Condition()
        self._state = EngineState(name="", status="stopped")
        self._run: _Run | None = None
        self._plan: LoadPlan | None = None

    @property
    def state(self) -> EngineState:
        """As of now."""
        return self._state

    @property
    def client(self) -> EngineClient:
        """Speaks to the worker that runs.

        Raises:
            EngineUnreachable, EngineDied, EngineStalled, LoadFailed: None does.
        """
        with self._changed:
            client = self._run.client if self._run is not None else None
            if client is not None and self._state.status == "ready":
                return client
            error = self._state.error
        raise error if isinstance(error, EngineError) else EngineUnreachable(self._state.name, "not started")

    @property
    def pid(self) -> int | None:
        """Of the worker; None while there is none."""
        run = self._run
        return None if run is None or run.process is None else run.process.pid

    def start(self, plan: LoadPlan) -> None:
        """Begin to load a model; ends the worker that runs. Returns at once."""
        self.stop()
        run = _Run(self, plan)
        with self._changed:
            self._run = run
            self._plan = plan
        self._publish(run, EngineState(name=run.name, status="loading"))
        run.start()

    def restart(self) -> None:
        """Begin to load the last model again. Returns at once.

        Raises:
            ValueError: There was none.
        """
        if self._plan is None:
            raise ValueError("nothing was ever started")
        self.start(self._plan)

    def wait_ready(self, timeout_s: float | None = None) -> EngineInfo:
        """Wait for the end of the loading.

        Raises:
            LoadFailed, ContextTooLarge, EngineDied, EngineStalled: It failed so.
            EngineUnreachable: It was stopped, or nothing was started.
            TimeoutError: `timeout_s` is over; the loading goes on.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._state.status != "loading", timeout_s):
                raise TimeoutError
            state = self._state
        if state.status == "ready" and state.info is not None:
            return state.info
        raise state.error or EngineUnreachable(state.name, "stopped")

    def stop(self) -> None:
        """End the worker; its memory is free when this returns. Harmless when none runs."""
        with self._changed:
            run, self._run = self._run, None
        if run is None:
            return
        run.stop()
        if self._state.status != "failed":
            self._publish(None, EngineState(name=run.name, status="stopped"))

    def _publish(self, run: _Run | None, state: EngineState) -> None:
        """Note and tell a state, unless it comes from a run that is no longer ours."""
        with self._changed:
            if run is not self._run and run is not None:
                return
            # The first reason is the true one: a stall is followed by a death that we caused.
            if state.status == "failed" and self._state.status == "failed":
                return
            self._state = state
            self._changed.notify_all()
        self._on_state(state)


class _Run:
    """One life of a worker."""

    def __init__(self, supervisor: Supervisor, plan: LoadPlan) -> None:
        self._supervisor = supervisor
        self._plan = plan
        self.name = plan.name or plan.model_path.stem
        self.process: WorkerProcess | None = None
        self.client: EngineClient | None = None
        self._error: EngineError | None = None
        self._is_stopping = False
        self._is_loading = True
        self._last_sign_at_s = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._folder: Path | None = None
        self._life = threading.Thread(target=self._live, name="worker-life", daemon=True)
        self._loader = threading.Thread(target=self._follow_load, name="worker-load", daemon=True)

    # --- called by the supervisor and by clients ----------------------------------------------------------

    def start(self) -> None:
        self._life.start()

    def stop(self) -> None:
        with self._lock:
            self._is_stopping = True
            process = self.process
        if process is not None:
            process.end(STOP_GRACE_S)
        # A listener that stops us from one of our own threads cannot wait for them.
        if threading.current_thread() not in (self._life, self._loader):
            self._life.join()

    def on_silence(self, timeout_s: float) -> EngineError:
        """A reader got nothing for too long: this worker hangs."""
        return self._give_up(EngineStalled(self.name, timeout_s))

    def on_broken(self, reason: str) -> EngineError:
        """A reader lost its connection; mostly because the process is dying just now."""
        if self._ended.wait(_DEATH_WAIT_S) and self._error is not None:
            return self._error
        return EngineUnreachable(self.name, reason)

    # --- the process -------------------------------------------------------------------------------------

    def _live(self) -> None:
        """Start the process and wait for its end. This thread must live as long as the process does."""
        try:
            self._spawn()
        except OSError as error:
            self._fail(LoadFailed(self.name, f"{self._supervisor._command[0]}: {error}"))
            self._finish()
            return
        assert self.process is not None
        self._loader.start()
        while self._is_loading and not self.process.wait(_LOADING_POLL_S):
            if time.monotonic() - self._last_sign_at_s > self._supervisor._load_stall_s:
                self._fail(EngineStalled(self.name, self._supervisor._load_stall_s))
                self.process.kill()
        self.process.wait()
        if not self._is_stopping:
            self._fail(self.process.death())
        self._finish()

    def _spawn(self) -> None:
        message = self._start_message()
        with self._lock:
            if self._is_stopping:
                raise OSError("stopped before it began")
            self._message = message
            self.process = WorkerProcess(self.name, self._supervisor._command, self._note_sign)

    def _start_message(self) -> StartMessage:
        folder = self._supervisor._runtime_dir
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unique = secrets.token_hex(4)
        if self._supervisor._use_tcp:
            return StartMessage(self._plan, port_path=folder / f"{unique}.port", token=secrets.token_hex(32))
        path = folder / f"{unique}.sock"
        if len(str(path).encode()) > _MAX_SOCKET_PATH_BYTES:
            # The kernel takes about 107 bytes.
            self._folder = Path(tempfile.mkdtemp(prefix="coterie-"))
            path = self._folder / f"{unique}.sock"
        return StartMessage(self._plan, socket_path=path)

    def _finish(self) -> None:
        with self._lock:
            self._ended.set()
        if self._loader.ident is not None and threading.current_thread() is not self._loader:
            self._loader.join()
        if self.client is not None:
            self.client.close()
        if self.process is not None:
            self.process.close()
        for path in (self._message.socket_path, self._message.port_path) if self.process else ():
            if path is not None:
                path.unlink(missing_ok=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _note_sign(self) -> None:
        self._last_sign_at_s = time.monotonic()

    def _give_up(self, error: EngineError) -> EngineError:
        """End a worker that is of no use any more; returns the true reason, which may be an earlier one."""
        self._fail(error)
        if self.process is not None:
            self.process.kill()
        return self._error or error

    def _fail(self, error: EngineError) -> None:
        with self._lock:
            if self._error is not None or self._is_stopping:
                return
            self._error = error
        self._supervisor._publish(self, EngineState(name=self.name, status="failed", error=error))

    # --- the loading -------------------------------------------------------------------------------------

    def _follow_load(self) -> None:
        assert self.process is not None
        try:
            # On this thread, because a worker that does not read would block the one that watches it.
            self.process.send(self._message.to_line())
            http = self._connect()
            if http is None:
                return
            with contextlib.closing(http):
                self._read_load_events(http)
        finally:
            self._is_loading = False

    def _connect(self) -> Client | None:
        """Wait until the worker listens; None if it ended before."""
        while not self._ended.wait(_POLL_S):
            http = self._new_http()
            if http is None:
                continue
            try:
                http.get("/health", timeout=self._supervisor._load_stall_s)
            except HTTPError:
                http.close()
                continue
            self._note_sign()
            return http
        return None

    def _new_http(self) -> Client | None:
        message = self._message
        if message.socket_path is not None:
            return engine_client(message.socket_path) if is_listening(message.socket_path) else None
        assert message.port_path is not None
        try:
            port = int(message.port_path.read_text())
        except (OSError, ValueError):
            return None
        return engine_client(base_url=f"http://127.0.0.1:{port}", token=message.token)

    def _read_load_events(self, http: Client) -> None:
        try:
            with http.stream("GET", "/coterie/v1/load", timeout=Timeout(None)) as response:
                for line in response.iter_lines():
                    if line.startswith("data:"):
                        self._on_load_event(json.loads(line[5:]))
        except HTTPError as error:
            log.debug("%s: loading is no longer told: %s", self.name, error)

    def _on_load_event(self, event: dict[str, Any]) -> None:
        self._note_sign()
        status = event["status"]
        if status == "loading":
            state = EngineState(self.name, "loading", load_permille=int(event["load_permille"]))
            self._supervisor._publish(self, state)
        elif status == "ready":
            http = self._new_http()
            assert http is not None
            self.client = EngineClient(
                http,
                self.name,
                address=str(self._message.socket_path) if self._message.socket_path else None,
                is_ours=True,
                stall_timeout_s=self._supervisor._request_stall_s,
                watcher=self,
            )
            state = EngineState(self.name, "ready", load_permille=1000, info=info_from(event["info"]))
            self._supervisor._publish(self, state)
        else:
            self._give_up(error_from(event, 503))


def is_listening(path: Path) -> bool:
    """Whether somebody takes connections on this Unix socket.

    The file is there a moment before that; the HTTP client would leave the refused socket unclosed.
    """
    if sys.platform == "win32":  # there, workers listen on loopback
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
