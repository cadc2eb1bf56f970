"""Whether a model fits, from its header on a hub: how long that takes, and how much is fetched for it.

A header with a vocabulary of 150,000 tokens and as many merges, before weights that nobody reads, on a hub on
this machine. Measured from the reference to the judgement, in a process that has done nothing before, and
once more for the whole command.

    python -m benchmarks.fit [--quick] [--json]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks import table
from benchmarks.table import Effort, Row
from tests.helpers.hub_server import HubServer
from tests.helpers.shapes import Shape, write_shape

MIB: Final = 2**20
SHAPE: Final = Shape("wide", "qwen3moe", 8, 256, 4, 2, 512, 150_000, 16, 2, 256, head=64, n_merges=150_000)
_REPO: Final = "coterie-tests/Wide-GGUF"

_JUDGE: Final = """
import json, sys, time
from pathlib import Path
from app import fits
from app.paths import Paths
from app.services import Services
from model_manager.best_fit import Wishes
folder, ref = Path(sys.argv[1]), sys.argv[2]
services = Services(Paths(folder), folder / "run")
began_s = time.perf_counter()
judged = fits.judge(services, ref, Wishes())
elapsed_s = time.perf_counter() - began_s
services.close()
assert judged.fit.verdict in ("fits", "tight"), judged.fit
print(json.dumps({"elapsed_s": elapsed_s}))
"""


def rows(effort: Effort) -> Iterator[Row]:
    """Time of the judgement, bytes that were fetched, time of the whole command."""
    with tempfile.TemporaryDirectory(prefix="coterie-") as name, HubServer() as hub:
        folder = Path(name)
        content = write_shape(folder / "wide-Q4_0.gguf", SHAPE).read_bytes()
        hub.add(_REPO, "wide-Q4_0.gguf", content)
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint}
        times, fetched, whole = [], [], []
        for number in range(effort.pairs(5)):
            before = hub.sent_bytes
            script = [sys.executable, "-c", _JUDGE, str(folder / f"data{number}"), _REPO]
            done = subprocess.run(script, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            times.append(json.loads(done.stdout)["elapsed_s"])
            fetched.append((hub.sent_bytes - before) / MIB)
            command = [sys.executable, "-P", "-m", "app", "--data-dir", str(folder / f"data{number}")]
            began_s = time.perf_counter()
            subprocess.run(
                [*command, "models", "fit", _REPO, "--json"],
                env=environment,
                stdout=subprocess.DEVNULL,
                check=True,
            )
            whole.append(time.perf_counter() - began_s)
    model = "header of 150,000 tokens"
    yield _row("fit, from a hub's header", model, times, 1.0, "s")
    yield _row("fit, bytes fetched", f"{model}, file of {len(content) / MIB:.0f} MiB", fetched, 16.0, "MiB")
    yield _row("fit, the whole command", model, whole, None, "s")


def _row(what: str, model: str, figures: list[float], target: float | None, unit: str) -> Row:
    middle = statistics.median(figures)
    return Row(
        what=what,
        model=model,
        ours=f"{middle:.2f} {unit}",
        peer="",
        figure=middle,
        target=target,
        sense="at most",
        unit=unit,
        spread=tuple(figures),
    )


if __name__ == "__main__":
    table.main(rows, __doc__)
