"""The whole life of a model from an empty data folder: found, judged, fetched through three kills, used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_manager.starter import dense_path
from tests.helpers.cli import TIMEOUT_S, coterie, environment, start, succeed
from tests.helpers.hub_server import HubServer, random_bytes
from tests.helpers.screen import Screen

REPO = "HuggingFaceTB/SmolLM2-135M-Instruct-GGUF"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "SmolLM2-135M-Instruct.Q4_1"
RATE_BYTES_PER_S = 40e6
KILLED_AT = (0.2, 0.45, 0.7)


@pytest.fixture(scope="module")
def content() -> bytes:
    return dense_path().read_bytes()


@pytest.fixture
def hub(content: bytes) -> Iterator[HubServer]:
    with HubServer() as server:
        server.add(REPO, FILE, content)
        server.add(REPO, "README.md", b"# SmolLM2\n\nA small model.\n")
        server.add("someone/Other-GGUF", "other-Q8_0.gguf", random_bytes(1000))
        server.repos[REPO].likes = 100
        yield server


def test_life_by_command_line(tmp_path: Path, hub: HubServer, content: bytes) -> None:
    data_dir = tmp_path / "data"
    env = {"HF_ENDPOINT": hub.endpoint}

    def answer(*arguments: str) -> Any:
        return json.loads(succeed(coterie(data_dir, *arguments, "--json", env=env)).stdout)

    found = answer("models", "search", "smollm2")
    assert [hit["repo"] for hit in found] == [REPO]
    page = answer("models", "show", found[0]["ref"])
    ref = page["recommended"]
    assert ref == f"{REPO}:Q4_1"
    judged = answer("models", "fit", ref)
    assert (judged["verdict"], judged["model"]["architecture"]) == ("fits", "llama")
    assert judged["model"]["size_bytes"] == len(content)
    assert hub.sent_bytes < len(content) // 2, "headers alone"

    already_bytes = hub.sent_bytes
    hub.rate_bytes_per_s = RATE_BYTES_PER_S
    for share in KILLED_AT:
        with start(data_dir, "models", "download", ref, env=env) as program:
            wanted_bytes = already_bytes + int(share * len(content))
            assert hub.wait_until(lambda server, wanted=wanted_bytes: server.sent_bytes >= wanted)
            program.kill()
        assert program.returncode == -9
        assert not list((data_dir / "models").rglob("*.gguf")), "never by its name before it is whole"
    hub.rate_bytes_per_s = None
    path = Path(succeed(coterie(data_dir, "models", "download", ref, env=env)).stdout.splitlines()[0])
    assert path.read_bytes() == content
    assert hub.sent_bytes - already_bytes < len(content) * 1.25, "what had arrived was kept"

    # From here on the network is not needed, and not asked.
    succeed(coterie(data_dir, "settings", "set", "offline", "true"))
    n_asked = len(hub.requests)
    succeed(coterie(data_dir, "models", "verify", NAME, env=env))
    (entry,) = [entry for entry in answer("models", "list") if entry["name"] == NAME]
    assert entry["architecture"] == "llama"
    words = ("chat", "-m", NAME, "--max-tokens", "8", "--seed", "1", "Say hello.")
    done = succeed(coterie(data_dir, *words, env=env))
    assert done.stdout.strip()
    assert len(hub.requests) == n_asked

    seen = answer("doctor", "--network", "--limit", "1000")["requests"]
    purposes = {request["why"] for request in seen}
    assert {"model search", "model info", "model card", "read header", "download"} <= purposes
    assert {request["host"] for request in seen} == {"127.0.0.1"}


def test_life_by_window(tmp_path: Path, hub: HubServer, content: bytes) -> None:
    data_dir = tmp_path / "data"
    steps: list[dict[str, Any]] = []

    def live(screen: Screen) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tests.helpers.window_life", str(data_dir), REPO, "Say hello."]
        env = environment(screen.environment() | {"HF_ENDPOINT": hub.endpoint})
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env)

    succeed(coterie(data_dir, "settings", "set", "sampling_defaults", '{"max_tokens": 8}'))
    hub.rate_bytes_per_s = RATE_BYTES_PER_S
    with Screen() as screen:
        for share in KILLED_AT:
            with live(screen) as program:
                assert program.stdout is not None
                while not steps or steps[-1]["step"] != "downloading":
                    steps.append(json.loads(program.stdout.readline()))
                steps.pop()
                wanted_bytes = int(share * len(content))
                assert hub.wait_until(lambda server, wanted=wanted_bytes: server.sent_bytes >= wanted)
                program.kill()
            assert not list((data_dir / "models").rglob("*.gguf"))
        hub.rate_bytes_per_s = None
        with live(screen) as program:
            output, _ = program.communicate(timeout=TIMEOUT_S)
    assert program.returncode == 0
    steps += [json.loads(line) for line in output.splitlines()]
    assert [step["step"] for step in steps] == [
        *("found", "judged", "downloading", "downloaded", "verified", "answered")
    ]
    assert steps[0]["repos"] == [REPO]
    assert "It fits" in steps[1]["verdict"]
    assert steps[3]["sha256"] == hub.repos[REPO].files[FILE].sha256
    assert steps[5]["model"] == NAME
    assert steps[5]["text"]
    assert hub.sent_bytes < len(content) * 1.5, "what had arrived was kept"
