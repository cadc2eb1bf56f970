"""kill -9 at random points: every run goes on where the last one was, and nearly no byte is fetched twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from tests.helpers.hub_server import HubServer, random_bytes

REPO, NAME = "tests/Large-GGUF", "large-Q4_K_M.gguf"
SIZE = 96 << 20
N_KILLS = 20
RATE_BYTES_PER_S = 8e6
"""What is lost is what the server sends while a killed process is taken down: some milliseconds' worth."""

CHILD = """
import json, sys
from pathlib import Path
from model_manager.http import Http
from model_manager.transfer import Transfer
url, path, size_bytes, sha256 = json.loads(sys.argv[1])
http = Http()
http.allow(url)
Transfer(http, url, Path(path), size_bytes=size_bytes, sha256=sha256).run(lambda: False)
"""


def test_twenty_kills_cost_less_than_one_percent(tmp_path: Path) -> None:
    path = tmp_path / "models" / NAME
    points = sorted(random.Random(7).sample(range(SIZE // 100, SIZE - SIZE // 50), N_KILLS))
    with HubServer() as server:
        server.rate_bytes_per_s = RATE_BYTES_PER_S
        file = server.add(REPO, NAME, random_bytes(SIZE))
        url = f"{server.endpoint}/{REPO}/resolve/main/{NAME}"
        command = [sys.executable, "-c", CHILD, json.dumps([url, str(path), SIZE, file.sha256])]
        for point in points:
            with subprocess.Popen(command) as child:
                assert server.wait_until(lambda server, point=point: server.sent_bytes >= point)
                child.kill()
            assert child.returncode == -9
            assert not path.exists()
        server.rate_bytes_per_s = None
        subprocess.run(command, check=True)
        refetched_bytes = server.sent_bytes - SIZE
    assert path.read_bytes() == file.content
    assert [other.name for other in path.parent.iterdir()] == [NAME]
    print(f"refetched {refetched_bytes} bytes, {100 * refetched_bytes / SIZE:.3f} %")  # noqa: T201  (shown by -s)
    assert refetched_bytes < 0.01 * SIZE
