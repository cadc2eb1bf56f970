"""Nothing leaves the machine that nobody asked for: watched from outside, in every process.

Unix sockets and loopback are no leaving: workers and a second command talk through them. Each guard is shown
to see what it must: without the switch, the same search for a model reaches out and is caught.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.helpers.cli import TIMEOUT_S, command, coterie, environment, refuse, succeed
from tests.helpers.hub_server import DEMO_REPO, HubServer
from tests.helpers.network_guard import (
    Attempt,
    AuditGuard,
    strace_attempts,
    strace_prefix,
    strace_works,
)

ELSEWHERE = {"HF_ENDPOINT": "https://hub.invalid", "no_proxy": "*"}
"""A name that can never be: RFC 2606 keeps `.invalid` free."""

ASK_HUB = ("models", "download", "tests/Model-GGUF")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def guard(tmp_path: Path) -> AuditGuard:
    return AuditGuard(tmp_path / "guard.jsonl")


def test_offline_chat_reaches_for_no_other_machine(data_dir: Path, guard: AuditGuard) -> None:
    env = ELSEWHERE | guard.environment
    succeed(coterie(data_dir, "settings", "set", "offline", "true", env=env))
    succeed(coterie(data_dir, "chat", "--max-tokens", "8", env=env, stdin="Hello.\nGo on.\n"))
    succeed(coterie(data_dir, "chat", "-c", "1", "--max-tokens", "8", "And now?", env=env))
    succeed(coterie(data_dir, "doctor", env=env))
    refuse(coterie(data_dir, *ASK_HUB, env=env), "offline")
    assert any("worker" in words for words in guard.commands()), "the worker was not watched"
    assert [attempt for attempt in guard.attempts() if attempt.leaves_machine] == []
    assert guard.attempts(), "unix sockets, at least"

    seen = json.loads(succeed(coterie(data_dir, "doctor", "--network", "--json")).stdout)
    assert seen["is_offline"]
    assert seen["requests"] == []


def test_the_guard_sees_who_is_asked(data_dir: Path, guard: AuditGuard) -> None:
    refuse(coterie(data_dir, *ASK_HUB, env=ELSEWHERE | guard.environment))
    assert "hub.invalid" in {attempt.host for attempt in guard.attempts() if attempt.leaves_machine}


def test_the_guard_sees_a_hub_on_this_machine(data_dir: Path, guard: AuditGuard) -> None:
    with HubServer() as hub:
        demo = hub.add_demo()
        env = {"HF_ENDPOINT": hub.endpoint} | guard.environment
        succeed(coterie(data_dir, "models", "download", DEMO_REPO, env=env))
    attempts = guard.attempts()
    assert "127.0.0.1" in {attempt.host for attempt in attempts}
    assert not any(attempt.leaves_machine for attempt in attempts)

    seen = json.loads(succeed(coterie(data_dir, "doctor", "--network", "--json")).stdout)
    assert not seen["is_offline"]
    # This run has the settings' hubs again.
    assert seen["allowed"] == ["https://huggingface.co:443", "https://modelscope.cn:443"]
    first, *_others, last = seen["requests"]
    assert (first["why"], first["host"], first["path"]) == (
        "model info",
        "127.0.0.1",
        f"/api/models/{DEMO_REPO}/revision/main",
    )
    assert first["at"] <= last["at"]
    assert (last["why"], last["received_bytes"]) == ("download", len(demo.content))
    (line, *_rest) = succeed(coterie(data_dir, "doctor", "--network", "--limit", "1")).stdout.splitlines()
    assert f"127.0.0.1{last['path']}" in line


@pytest.mark.skipif(not strace_works(), reason="strace is not here, or may not look at processes")
def test_offline_chat_below_all_code(data_dir: Path, tmp_path: Path) -> None:
    """As above, also for what compiled code might do by itself."""

    def traced(name: str, endpoint: str, *arguments: str) -> list[Attempt]:
        """Run it; what it, or a child of it, reached for."""
        file = tmp_path / name
        subprocess.run(
            [*strace_prefix(file), *command(data_dir, *arguments)],
            capture_output=True,
            timeout=TIMEOUT_S,
            env=environment(ELSEWHERE | {"HF_ENDPOINT": endpoint}),
            check=False,
        )
        return strace_attempts(file)

    with HubServer() as hub:  # what it can see
        attempts = traced("hub", hub.endpoint, "models", "fit", "tests/Model-GGUF")
        assert "127.0.0.1" in {attempt.host for attempt in attempts}
    succeed(coterie(data_dir, "settings", "set", "offline", "true"))
    attempts = traced("chat", ELSEWHERE["HF_ENDPOINT"], "chat", "--max-tokens", "8", "Hello.")
    assert attempts, "unix sockets, at least"
    assert [attempt for attempt in attempts if attempt.leaves_machine] == []
    shown = succeed(coterie(data_dir, "conversations", "show", "1", "--json")).stdout
    assert [message["role"] for message in json.loads(shown)["messages"]] == ["user", "assistant"]
