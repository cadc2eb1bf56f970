"""A download with hash and sync, against curl to a file, side by side on loopback.

    python -m benchmarks.download [--size-mb 1000] [--rounds 6]

Prints one line a round and the median ratio of the rates, to curl alone, which neither hashes nor syncs, and
to curl followed by an fsync, which puts as much on the disk as we do. The server is a process of its own that
sends from the page cache. Needs curl.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--size-mb", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.gguf", Path(folder) / "target.gguf"
        write_random(source, arguments.size_mb)
        server = subprocess.Popen([sys.executable, "-c", SERVER, source], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        port = int(server.stdout.readline())
        url = f"http://127.0.0.1:{port}/x.gguf"
        rounds: list[dict[str, float]] = []
        for number in range(arguments.rounds):
            rates: dict[str, float] = {}
            # Each comes first, second and third equally often.
            names = [*RUNNERS, *RUNNERS][number % 3 : number % 3 + 3]
            for name in names:
                target.unlink(missing_ok=True)
                os.sync()
                began_at = time.perf_counter()
                RUNNERS[name](url, target)
                rates[name] = arguments.size_mb / (time.perf_counter() - began_at)
            print("   ".join(f"{name} {rates[name]:6.0f} MB/s" for name in RUNNERS), flush=True)
            rounds.append(rates)
        with socket.create_connection(("127.0.0.1", port)):
            pass  # says nothing: the server ends
        server.wait()
    for name in ("curl", "curl+sync"):
        ratio = statistics.median(rates["ours"] / rates[name] for rates in rounds)
        print(f"download: {ratio:.2f} x {name}")


if __name__ == "__main__":
    main()
