"""The process that holds one model. It is started by `supervisor`, never by hand.

stdin     first line: `StartMessage` as JSON; then nothing, until the parent ends
stdout    unused
stderr    log lines, and llama.cpp's own words
exit      0 when stdin ends; the rest is an accident
SIGTERM   as the end of stdin, but for the exit status

Before it ends in one of these ways it saves conversations, for at most `_FAREWELL_S`.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import uvicorn

from model_manager.engine.launch import StartMessage
from model_manager.engine.threads import SPIN_ENVIRONMENT

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG: Final = 1
_OOM_SCORE_ADJ: Final = 500
_LISTEN_BACKLOG: Final = 64
_FAREWELL_S: Final = 2.8


def main(argv: Sequence[str] | None = None, stdin: BinaryIO | None = None) -> int:
    """Run a worker until its parent ends.

    Args:
        argv: Nothing is read from it.
        stdin: Where the start message comes from; None is the process's own.
    """
    del argv
    stdin = stdin or sys.stdin.buffer
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    line = stdin.readline()
    if not line:
        return 0
    message = StartMessage.from_line(line)
    _die_with_parent()
    _volunteer_for_oom_killer()
    # The terminal's Ctrl-C is for the parent, who decides what becomes of an answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Read by libgomp when llama.cpp is loaded, so before anything imports it.
    os.environ.update({name: os.environ.get(name, value) for name, value in SPIN_ENVIRONMENT.items()})
    _serve(message, stdin)
    return 0


def _serve(message: StartMessage, stdin: BinaryIO) -> None:
    farewell = _Farewell(message)
    signal.signal(signal.SIGTERM, lambda _number, _frame: farewell.begin(signal.SIGTERM))
    threading.Thread(target=_await_parent, args=(stdin, farewell), name="parent", daemon=True).start()
    listener = _listen(message)
    # Imported this late because of the environment above.
    from model_manager.engine.host import Host
    from model_manager.engine.server import build_app

    host = Host(message.plan)
    farewell.on_end = host.close
    threading.Thread(target=host.load, name="load", daemon=True).start()
    config = uvicorn.Config(
        build_app(host, message.token),
        log_config=None,
        access_log=False,
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",
        server_header=False,
        date_header=False,
    )
    _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Leaves signals alone: they are `_Farewell`'s."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(message: StartMessage) -> socket.socket:
    """Bind the socket ourselves: uvicorn would open a Unix socket to everyone on this machine."""
    if message.socket_path is not None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old_mask = os.umask(0o177)  # the file has mode 0600 from the moment it exists
        try:
            listener.bind(str(message.socket_path))
        finally:
            os.umask(old_mask)
        listener.listen(_LISTEN_BACKLOG)
        return listener
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(_LISTEN_BACKLOG)
    if message.port_path is not None:
        unfinished = message.port_path.with_suffix(".part")
        unfinished.write_text(str(listener.getsockname()[1]))
        unfinished.replace(message.port_path)
    return listener


class _Farewell:
    """Ends this process, whatever its other threads do.

    Attributes:
        on_end: What is done before; it is not waited for longer than `_FAREWELL_S`.
    """

    def __init__(self, message: StartMessage) -> None:
        self.on_end: Callable[[], None] = lambda: None
        self._socket_path = message.socket_path
        self._first = threading.Lock()

    def begin(self, number: int | None = None) -> None:
        """Start to end, with the status that this signal gives; at once returned from."""
        if self._first.acquire(blocking=False):
            threading.Thread(target=self._end, args=(number,), name="farewell", daemon=True).start()

    def _end(self, number: int | None) -> None:
        saving = threading.Thread(target=self.on_end, name="saving", daemon=True)
        saving.start()
        saving.join(_FAREWELL_S)
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)
        if number is not None and sys.platform != "win32":
            # The system's own handling is set anew by a function that no thread but the main one may call.
            ctypes.CDLL(None).signal(number, 0)
            os.kill(os.getpid(), number)
        os._exit(0)


def _await_parent(stdin: BinaryIO, farewell: _Farewell) -> None:
    """End this process when the parent's end of stdin is gone."""
    while stdin.read(4096):
        pass
    farewell.begin()


def _die_with_parent() -> None:
    """On Linux the kernel ends us when the parent's spawning thread ends, even if we hang."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _volunteer_for_oom_killer() -> None:
    """When memory runs out the kernel shall take the worker, whose loss costs nothing, not the window."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE_ADJ))


if __name__ == "__main__":
    sys.exit(main())
