"""Downloads with hash and sync on loopback: how fast, how much is lost to kill -9, how much memory they take.

    python -m benchmarks.download [--quick] [--json]

Fast against `curl | sha256sum`, which writes no file; against `curl | tee FILE | sha256sum`, which writes one
and does not sync it; and against curl to a file, which does not hash. The server is a process of its own that
sends from the page cache. What is fetched twice and the memory are measured with several connections, from a
server that sends slowly on each. Needs curl.
"""

from __future__ import annotations

import json
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
from benchmarks.machine import OthersMeter
from benchmarks.pairs import contest
from benchmarks.table import Effort, Row
from model_manager.http import Http
from model_manager.transfer import Transfer, TransferOptions
from tests.helpers.hub_server import HubFileContent, HubServer

SERVER = """
import os, re, socket, sys, threading
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
total = os.path.getsize(sys.argv[1])

def serve(client, request):
    asked = re.search(rb"(?i)\\nrange: bytes=(\\d+)-(\\d*)", request)
    first = int(asked[1]) if asked else 0
    last = int(asked[2]) if asked and asked[2] else total - 1
    head = "HTTP/1.1 206 Partial Content" if asked else "HTTP/1.1 200 OK"
    head += f'\\r\\nContent-Length: {last + 1 - first}\\r\\nETag: "1"\\r\\nAccept-Ranges: bytes\\r\\n'
    if asked:
        head += f"Content-Range: bytes {first}-{last}/{total}\\r\\n"
    client.sendall(head.encode() + b"Connection: close\\r\\n\\r\\n")
    with open(sys.argv[1], "rb") as file:
        client.sendfile(file, first, last + 1 - first)
    client.close()

while True:
    client, _ = listener.accept()
    request = client.recv(65536)
    if not request:
        break
    threading.Thread(target=serve, args=(client, request), daemon=True).start()
"""

CHILD = """
import json, os, sys
from pathlib import Path
from model_manager.http import Http
from model_manager.transfer import Transfer, TransferOptions
from tests.helpers.memory import peak_bytes, resident_bytes
url, path, size_bytes, sha256 = json.loads(sys.argv[1])
http = Http()
http.allow(url)
transfer = Transfer(
    http, url, Path(path), size_bytes=size_bytes, sha256=sha256, options=TransferOptions(reserve_bytes=0)
)
idle_bytes, n_connections = resident_bytes(os.getpid()), 0

def watch():
    global n_connections
    n_connections = max(n_connections, transfer.n_connections)
    return False

transfer.run(watch)
print(json.dumps([peak_bytes(os.getpid()) - idle_bytes, n_connections]))
"""

MIB = 1 << 20
REPO, NAME = "bench/Large-GGUF", "large-Q4_K_M.gguf"
RATE_BYTES_PER_S = 20e6
"""Of each connection: slow enough that several are opened."""
N_KILLS = 5


def write_random(path: Path, size_mib: int) -> None:
    """A file that no file system can store in less space."""
    block = random.Random(1).randbytes(MIB)
    with path.open("wb") as file:
        for number in range(size_mib):
            file.write(number.to_bytes(8, "big") + block[8:])


def run_curl(url: str, path: Path) -> None:
    """Curl to a file."""
    subprocess.run(["curl", "--silent", "--fail", "--noproxy", "*", "-o", path, url], check=True)


def run_curl_and_hash(url: str, path: Path | None) -> None:
    """Curl into a hash, by way of a file if there is one."""
    tee = "" if path is None else f"tee '{path}' | "
    command = f"curl --silent --fail --noproxy '*' '{url}' | {tee}sha256sum"
    subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)


HTTP = Http()  # one for the life of the program, as in the program


def run_ours(url: str, path: Path) -> None:
    """The program's own transfer: hash, sync, rename."""
    Transfer(HTTP, url, path, options=TransferOptions(reserve_bytes=0)).run(lambda: False)


RUNNERS: dict[str, Callable[[str, Path], None]] = {
    "curl": run_curl,
    "curl|sha256sum": lambda url, _path: run_curl_and_hash(url, None),
    "curl|tee|sha256sum": run_curl_and_hash,
    "ours": run_ours,
}


def rows(effort: Effort) -> Iterator[Row]:
    """How fast against each of the others; then what kill -9 costs, and the memory."""
    size_mib = 96 if effort.is_quick else 1024
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.gguf", Path(folder) / "target.gguf"
        write_random(source, size_mib)
        with _served(source) as url:
            contenders = {name: partial(_rate, run, url, target, size_mib) for name, run in RUNNERS.items()}
            result = contest(contenders, effort.pairs(6))
        target.unlink(missing_ok=True)
        what = "download on loopback, hashed"
        yield result.row(what, "", "ours", "curl|sha256sum", 0.95, unit="MiB/s")
        yield result.row(what, "", "ours", "curl|tee|sha256sum", None, unit="MiB/s")
        yield result.row(what, "", "ours", "curl", None, unit="MiB/s")
        with HubServer() as server, OthersMeter() as meter:
            server.rate_bytes_per_s = RATE_BYTES_PER_S
            file = server.add(REPO, NAME, source.read_bytes())
            refetched_bytes = _refetched_bytes(server, file, Path(folder) / "killed" / NAME)
            path = Path(folder) / "whole" / NAME
            done = subprocess.run(_command(server, file, path), check=True, capture_output=True, text=True)
            more_bytes, n_connections = json.loads(done.stdout)
    percent = 100 * refetched_bytes / len(file.content)
    yield Row(
        f"fetched twice after {N_KILLS} times kill -9",
        "",
        ours=f"{refetched_bytes / MIB:.1f} MiB of {size_mib}",
        peer="",
        figure=percent,
        target=1.0,
        sense="at most",
        unit="%",
        others_cores=meter.cores,
    )
    yield Row(
        "memory of a download, over idle",
        "",
        ours=f"{n_connections} connections",
        peer="",
        figure=more_bytes / MIB,
        target=64.0,
        sense="at most",
        unit="MiB",
        others_cores=meter.cores,
    )


def _rate(run: Callable[[str, Path], None], url: str, target: Path, size_mib: int) -> float:
    target.unlink(missing_ok=True)
    os.sync()
    began_at = time.perf_counter()
    run(url, target)
    return size_mib / (time.perf_counter() - began_at)


def _refetched_bytes(server: HubServer, file: HubFileContent, path: Path) -> int:
    """What a server sends beyond the file's size to a program that is killed again and again."""
    size = len(file.content)
    command = _command(server, file, path)
    for number in range(1, N_KILLS + 1):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
            point = number * size // (N_KILLS + 1)
            assert server.wait_until(lambda server, point=point: server.sent_bytes >= point, 600.0)
            child.kill()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return server.sent_bytes - size


def _command(server: HubServer, file: HubFileContent, path: Path) -> list[str]:
    url = f"{server.endpoint}/{REPO}/resolve/main/{NAME}"
    facts = [url, str(path), len(file.content), file.sha256]
    return [sys.executable, "-c", CHILD, json.dumps(facts)]


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
