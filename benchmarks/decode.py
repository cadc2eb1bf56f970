"""Decode rate through the API against the bare low-level loop: same file, threads, build, machine, minutes.

Each pair measures one after the other, in turns who is first, so that other work on the machine meets both.
Prints the medians and the median of the ratios; issue and design ask for at least 0.95.

    python -m benchmarks.decode [--pairs N] [--tokens N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import OthersMeter
from benchmarks.prompts import QUESTION
from model_manager.engine.client import EngineClient
from model_manager.engine.supervisor import Supervisor
from model_manager.engine.threads import SPIN_ENVIRONMENT, initial_threads
from model_manager.starter import ensure_starter
from model_manager.types import ChatFinished, ChatMessage, ChatRequest, LoadPlan, SamplingParams

N_CTX_TOKENS = 1024
TARGET = 0.95


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with _bare_loop() as bare, _engine() as client:
        bias = dict.fromkeys(bare.ends, -100.0)

        def measure_api() -> float:
            return api_rate(client, arguments.tokens, bias)

        def measure_bare() -> float:
            return bare.measure(arguments.tokens)

        measure_api(), measure_bare()  # the first of everything is slower
        pairs = []
        others = []
        for n in range(arguments.pairs):
            with OthersMeter() as meter:
                if n % 2:
                    api = measure_api()
                    pairs.append((api, measure_bare()))
                else:
                    loop = measure_bare()
                    pairs.append((measure_api(), loop))
            others.append(meter.cores)
    ratios = [api / loop for api, loop in pairs]
    result = {
        "api_tokens_per_s": round(statistics.median(api for api, _ in pairs), 1),
        "bare_tokens_per_s": round(statistics.median(loop for _, loop in pairs), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "others_cores": [round(cores, 2) for cores in others],
        "n_threads": initial_threads(),
        "target": TARGET,
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        rates = f"API {result['api_tokens_per_s']} tok/s, bare loop {result['bare_tokens_per_s']} tok/s"
        print(f"{rates}, {result['n_threads']} threads")
        print(f"ratio {result['ratio']} (at least {TARGET}), of the pairs {result['ratios']}")
        print(f"cores that other processes used meanwhile: {result['others_cores']}")


def api_rate(client: EngineClient, n_tokens: int, bias: Mapping[int, float]) -> float:
    """Tokens a second as a client sees them, from the first piece of text to the end of the stream."""
    request = ChatRequest(
        messages=(ChatMessage("user", QUESTION),),
        sampling=SamplingParams(temperature=0.8, seed=1, max_tokens=n_tokens, logit_bias=bias),
    )
    first_s = None
    for event in client.chat(request):
        if isinstance(event, ChatFinished):
            assert first_s is not None
            return (event.usage.completion_tokens - 1) / (time.perf_counter() - first_s)
        if first_s is None and not hasattr(event, "done_tokens"):
            first_s = time.perf_counter()
    raise RuntimeError("the answer did not finish")


class _Bare:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ends: list[int] = json.loads(self._read())["ends"]

    def measure(self, n_tokens: int) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{n_tokens}\n")
        self._process.stdin.flush()
        return float(json.loads(self._read())["tokens_per_s"])

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def _bare_loop() -> Iterator[_Bare]:
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(ensure_starter())]
    with subprocess.Popen(
        [*command, str(N_CTX_TOKENS), str(initial_threads())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **SPIN_ENVIRONMENT},
    ) as process:
        yield _Bare(process)
        assert process.stdin is not None
        process.stdin.close()


@contextmanager
def _engine() -> Iterator[EngineClient]:
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder:
        worker = [sys.executable, "-m", "model_manager.engine.worker"]
        supervisor = Supervisor(worker, Path(folder), lambda _state: None)
        supervisor.start(LoadPlan(ensure_starter(), n_ctx_tokens=N_CTX_TOKENS, name="starter"))
        supervisor.wait_ready()
        try:
            yield supervisor.client
        finally:
            supervisor.stop()


if __name__ == "__main__":
    main()
