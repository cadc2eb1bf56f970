"""Who is measured: our worker, llama.cpp's server, its benchmarks, the binding's server."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import llama_tools
from benchmarks.models import Subject
from benchmarks.prompts import QUESTION_TOKENS
from model_manager.engine.client import EngineClient
from model_manager.engine.supervisor import Supervisor
from model_manager.engine.threads import SPIN_ENVIRONMENT, initial_threads
from model_manager.http import HTTPError, engine_client
from model_manager.types import LoadPlan

_START_TIMEOUT_S = 60.0


@contextlib.contextmanager
def our_worker(
    subject: Subject, *, n_ctx_tokens: int, n_parallel: int = 4, prompt_cache_dir: Path | None = None
) -> Iterator[EngineClient]:
    """A worker process with its client, as the program starts one."""
    plan = LoadPlan(
        subject.path, n_ctx_tokens=n_ctx_tokens, n_parallel=n_parallel, prompt_cache_dir=prompt_cache_dir
    )
    with tempfile.TemporaryDirectory(prefix="coterie-") as folder:
        command = [sys.executable, "-m", "model_manager.engine.worker"]
        supervisor = Supervisor(command, Path(folder), lambda _state: None)
        supervisor.start(plan)
        supervisor.wait_ready()
        try:
            yield supervisor.client
        finally:
            supervisor.stop()


@contextlib.contextmanager
def llama_server(subject: Subject, *, n_ctx_tokens: int, n_parallel: int = 1) -> Iterator[EngineClient]:
    """llama.cpp's own server, with as many threads as our worker begins with."""
    port = _free_port()
    threads = str(initial_threads())
    command = [llama_tools.program("llama-server"), "-m", str(subject.path), "--port", str(port)]
    command += ["-t", threads, "-tb", threads, "-c", str(n_ctx_tokens), "-np", str(n_parallel), "--jinja"]
    with _server(command, port) as client:
        yield client


@contextlib.contextmanager
def python_server(subject: Subject, *, n_ctx_tokens: int) -> Iterator[EngineClient]:
    """The server of llama-cpp-python. It answers one request after the other."""
    port = _free_port()
    threads = str(initial_threads())
    command = [_python_of_peer(), "-m", "llama_cpp.server", "--model", str(subject.path), "--port", str(port)]
    command += ["--n_threads", threads, "--n_threads_batch", threads, "--n_ctx", str(n_ctx_tokens)]
    # Or a second request would break off the first.
    command += ["--interrupt_requests", "false", "--flash_attn", "true", "--verbose", "false"]
    with _server(command, port) as client:
        yield client


def llama_bench(subject: Subject, *, n_prompt: int = 0, n_decode: int = 0, n_depth: int = 0) -> float:
    """Tokens a second of one run of llama-bench, behind `n_depth` tokens; a process of its own."""
    command = [llama_tools.program("llama-bench"), "-m", str(subject.path), "-t", str(initial_threads())]
    command += ["-p", str(n_prompt), "-n", str(n_decode), "-d", str(n_depth), "-r", "1", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_plain_environment())
    return float(json.loads(done.stdout)[0]["avg_ts"])


def llama_batched_bench(subject: Subject, *, n_streams: int, n_decode: int) -> float:
    """Tokens a second of one run of llama-batched-bench, over all its sequences, decoding alone."""
    threads = str(initial_threads())
    command = [llama_tools.program("llama-batched-bench"), "-m", str(subject.path), "-t", threads]
    command += ["-tb", threads, "-c", "4096", "-npp", str(QUESTION_TOKENS), "-ntg", str(n_decode)]
    command += ["-npl", str(n_streams)]
    command += ["--output-format", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_plain_environment())
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return float(lines[-1]["speed_tg"])


class BareLoop:
    """The fastest loop that the binding allows (`bare_loop`), in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read()

    def measure(self, n_tokens: int) -> float:
        """Tokens a second."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{n_tokens}\n")
        self._process.stdin.flush()
        return float(self._read()["tokens_per_s"])

    def _read(self) -> Mapping[str, float]:
        assert self._process.stdout is not None
        answer: Mapping[str, float] = json.loads(self._process.stdout.readline())
        return answer


@contextlib.contextmanager
def bare_loop(subject: Subject, *, n_ctx_tokens: int) -> Iterator[BareLoop]:
    """Start one."""
    command = [sys.executable, "-m", "benchmarks.bare_loop", str(subject.path), str(n_ctx_tokens)]
    environment = {**os.environ, **SPIN_ENVIRONMENT}
    with subprocess.Popen(
        [*command, str(initial_threads())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield BareLoop(process)
        assert process.stdin is not None
        process.stdin.close()


@contextlib.contextmanager
def _server(command: list[str], port: int) -> Iterator[EngineClient]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=_plain_environment())
        http = engine_client(base_url=f"http://127.0.0.1:{port}")
        try:
            deadline_s = time.monotonic() + _START_TIMEOUT_S
            while not _is_ready(http.get):
                if process.poll() is not None or time.monotonic() > deadline_s:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read().decode()[-2000:]}")
                time.sleep(0.1)
            yield EngineClient(http, Path(command[0]).name)
        finally:
            http.close()
            process.terminate()
            process.wait()


def _plain_environment() -> dict[str, str]:
    """Without the variables that our worker's threads get: a peer starts as its own documentation has it."""
    return {key: value for key, value in os.environ.items() if key not in SPIN_ENVIRONMENT}


def _is_ready(get: object) -> bool:
    try:
        return bool(get("/v1/models").status_code == 200)  # type: ignore[operator]  # a bound method of a client
    except (HTTPError, OSError):
        return False


def _python_of_peer() -> str:
    """The interpreter of an environment with the binding and what its server needs besides."""
    script = llama_tools.ROOT / "packaging" / "build_peer.sh"
    built = subprocess.run(["bash", script, sys.prefix], stdout=subprocess.PIPE, text=True, check=True)
    return built.stdout.strip()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
