"""A download with hash and sync, against curl to a file, side by side on loopback.

    python -m benchmarks.download [--quick] [--json]

Against curl alone, which neither hashes nor syncs, and against curl followed by an fsync, which puts as much
on the disk as we do. The server is a process of its own that sends from the page cache. Needs curl.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import table
from benchmarks.pairs import contest
from benchmarks.table import Effort, Row
from model_manager.http import Http
from model_manager.transfer import Transfer, TransferOptions

SERVER = """
import os, socket, sys
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
size_bytes = os.path.getsize(sys.argv[1])
while True:
    client, _ = listener.accept()
    if not client.recv(65536):
        break
    head = f'HTTP/1.1 200 OK\\r\\nContent-Length: {size_bytes}\\r\\nETag: "1"\\r\\n'
    client.sendall(head.encode() + b'Connection: close\\r\\n\\r\\n')
    with open(sys.argv[1], "rb") as file:
        client.sendfile(file)
    client.close()
"""


def write_random(path: Path, size_mb: int) -> None:
    """A file that no file system can store in less space."""
    block = random.Random(1).randbytes(1_000_000)
    with path.open("wb") as file:
        for number in range(size_mb):
            file.write(number.to_bytes(8, "big") + block[8:])


def run_curl(url: str, path: Path) -> None:
    """Curl to a file."""
    subprocess.run(["curl", "--silent", "--fail", "--noproxy", "*", "-o", path, url], check=True)


def run_curl_and_sync(url: str, path: Path) -> None:
    """Curl to a file that is then on the disk itself."""
    run_curl(url, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


HTTP = Http()  # one for the life of the program, as in the program


def run_ours(url: str, path: Path) -> None:
    """The program's own transfer: hash, sync, rename."""
    Transfer(HTTP, url, path, options=TransferOptions(reserve_bytes=0)).run(lambda: False)


RUNNERS = {"curl": run_curl, "curl+sync": run_curl_and_sync, "ours": run_ours}


def rows(effort: Effort) -> Iterator[Row]:
    """Two rows: against curl alone, and against curl with an fsync."""
    size_mb = 100 if effort.is_quick else 1000
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.gguf", Path(folder) / "target.gguf"
        write_random(source, size_mb)
        with _served(source) as url:
            contenders = {name: partial(_rate, run, url, target, size_mb) for name, run in RUNNERS.items()}
            result = contest(contenders, effort.pairs(6))
    yield result.row("download on loopback, hashed", "", "ours", "curl", 0.95, unit="MB/s")
    yield result.row("download on loopback, hashed", "", "ours", "curl+sync", None, unit="MB/s")


def _rate(run: Callable[[str, Path], None], url: str, target: Path, size_mb: int) -> float:
    target.unlink(missing_ok=True)
    os.sync()
    began_at = time.perf_counter()
    run(url, target)
    return size_mb / (time.perf_counter() - began_at)


@contextmanager
def _served(source: Path) -> Iterator[str]:
    server = subprocess.Popen([sys.executable, "-c", SERVER, source], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    try:
        yield f"http://127.0.0.1:{port}/x.gguf"
    finally:
        with socket.create_connection(("127.0.0.1", port)):
            pass  # says nothing: the server ends
        server.wait()


if __name__ == "__main__":
    table.main(rows, __doc__)
