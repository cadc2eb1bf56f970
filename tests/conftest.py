"""What every test gets: an offscreen Qt, data folders of its own, no network but loopback, and guards.

An unexpected warning in the log, a thread or a child process left behind fails the test that left it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from model_manager.tokens import VARIABLES

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# A person's language and theme must not decide what tests see.
os.environ["LC_ALL"] = "C.UTF-8"
os.environ["LANGUAGE"] = "en"


class LogGuard(logging.Handler):
    """Collects what was logged at WARNING or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self.expected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def unexpected(self) -> list[str]:
        return [
            f"{record.levelname} {record.name}: {record.getMessage()}"
            for record in self.records
            if not any(text in record.getMessage() for text in self.expected)
        ]


@pytest.fixture(autouse=True)
def log_guard() -> Iterator[LogGuard]:
    """Fails a test in which something is logged at WARNING or above that it did not announce."""
    guard = LogGuard()
    root = logging.getLogger()
    root.addHandler(guard)
    yield guard
    root.removeHandler(guard)
    unexpected = guard.unexpected()
    assert not unexpected, "unexpected log records:\n" + "\n".join(unexpected)


@pytest.fixture
def expected_logs(log_guard: LogGuard) -> Callable[[str], None]:
    """`expected_logs("part of a message")` announces a warning that the test provokes."""
    return log_guard.expected.append


@pytest.fixture(autouse=True)
def data_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the data of the person who runs it; the starter cache is shared, it is only read."""
    monkeypatch.setenv("COTERIE_DATA_DIR", str(tmp_path / "data"))
    for name in ("COTERIE_API_KEY", *VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that would leave the machine is an error in the test that tried it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            assert host in ("127.0.0.1", "::1", "localhost"), f"a test tried to reach {host}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Threads and child processes that a test started must have ended with it.

    Those of module and session fixtures were there before the test and may stay.
    """
    threads = set(threading.enumerate())
    children = set(psutil.Process().children(recursive=True))
    yield
    if _uses_shared_fixture(request):
        return
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=5)
    left = [thread.name for thread in set(threading.enumerate()) - threads if thread.is_alive()]
    # Qt's own and the interpreter's pool threads carry these names and end with the process.
    left = [name for name in left if not name.startswith("Dummy-")]
    assert not left, f"threads left behind: {left}"
    gone = set(psutil.Process().children(recursive=True)) - children
    _, alive = psutil.wait_procs(gone, timeout=5)
    assert not alive, f"processes left behind: {alive}"


def _uses_shared_fixture(request: pytest.FixtureRequest) -> bool:
    """A module or session fixture first asked for by this test starts what later tests share."""
    definitions = request._fixturemanager  # pytest has no public way to ask for a fixture's scope
    for name in request.fixturenames:
        for definition in definitions.getfixturedefs(name, request.node) or ():
            if definition.scope in ("module", "session", "package", "class") and name not in _PYTEST_SHARED:
                return True
    return False


_PYTEST_SHARED = {
    "qapp",
    "qapp_args",
    "qapp_cls",
    "tmp_path_factory",
    "pytestconfig",
    "record_testsuite_property",
}
