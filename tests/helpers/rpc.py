"""llama.cpp's RPC server on a free port of this machine: a second device with memory of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.helpers.memory import resident_bytes


@dataclass(frozen=True)
class RpcServer:
    """One that runs.

    Attributes:
        own_bytes: What it held before anybody used it.
    """

    endpoint: str
    pid: int
    own_bytes: int

    @property
    def device(self) -> str:
        """How ggml calls its memory."""
        return f"RPC0[{self.endpoint}]"


@contextlib.contextmanager
def rpc_server(n_threads: int = 1) -> Iterator[RpcServer]:
    """Ended on leaving."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "model_manager.engine.rpc_server", endpoint, str(n_threads)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield RpcServer(endpoint, child.pid, _wait_until_it_listens(child, endpoint))
    finally:
        child.kill()
        child.communicate()


def _wait_until_it_listens(child: subprocess.Popen[str], endpoint: str) -> int:
    host, _, port = endpoint.partition(":")
    while child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return resident_bytes(child.pid)
    raise AssertionError(f"the RPC server ended with {child.returncode}")
