"""kill -9 at random points: every run goes on where the last one was, and nearly no byte is fetched twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.hub_server import HubServer, random_bytes

REPO, NAME = "tests/Large-GGUF", "large-Q4_K_M.gguf"
RATE_BYTES_PER_S = 5e6
"""Of all connections. What is lost is what the server sends while a killed process is taken down: some
milliseconds' worth.
"""

CHILD = """
import json, sys
from pathlib import Path
from model_manager.http import Http
from model_manager.lanes import LaneOptions
from model_manager.transfer import Transfer, TransferOptions
url, path, size_bytes, sha256, n_connections = json.loads(sys.argv[1])
http = Http()
http.allow(url)
lanes = LaneOptions(n_connections, chunk_bytes=4 << 20, from_bytes=0, look_s=0.0)
options = TransferOptions(lanes=lanes)
Transfer(http, url, Path(path), size_bytes=size_bytes, sha256=sha256, options=options).run(lambda: False)
"""


@pytest.mark.parametrize(("n_connections", "n_kills", "size"), [(1, 12, 64 << 20), (4, 2, 24 << 20)])
def test_kills_cost_less_than_one_percent(
    tmp_path: Path, n_connections: int, n_kills: int, size: int
) -> None:
    path = tmp_path / "models" / NAME
    points = sorted(random.Random(7).sample(range(size // 100, size - size // 50), n_kills))
    with HubServer() as server:
        server.rate_bytes_per_s = RATE_BYTES_PER_S / n_connections
        file = server.add(REPO, NAME, random_bytes(size))
        url = f"{server.endpoint}/{REPO}/resolve/main/{NAME}"
        command = [
            sys.executable,
            "-c",
            CHILD,
            json.dumps([url, str(path), size, file.sha256, n_connections]),
        ]
        for point in points:
            with subprocess.Popen(command) as child:
                assert server.wait_until(lambda server, point=point: server.sent_bytes >= point)
                child.kill()
            assert child.returncode == -9
            assert not path.exists()
        assert (server.most_bodies > 1) == (n_connections > 1)
        server.rate_bytes_per_s = None
        subprocess.run(command, check=True)
        refetched_bytes = server.sent_bytes - size
    assert path.read_bytes() == file.content
    assert [other.name for other in path.parent.iterdir()] == [NAME]
    print(f"refetched {refetched_bytes} bytes, {100 * refetched_bytes / size:.3f} %")  # noqa: T201  (shown by -s)
    assert refetched_bytes < 0.01 * size
