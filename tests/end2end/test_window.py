"""The real program in a real window on a virtual screen, with the starter model in a real worker."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.screen import Program, Screen
from tests.helpers.serving import serve


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with Screen() as made:
        yield made


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def open_window(screen: Screen, data_dir: Path) -> Program:
    program = Program(env=screen.environment(), data_dir=data_dir)
    program.wait_for("window ready")
    window = screen.xdotool("search", "--sync", "--onlyvisible", "--name", "Coterie").splitlines()[-1]
    # Without a window manager nobody gives the focus.
    screen.xdotool("windowfocus", "--sync", window)
    return program


def ask(screen: Screen, text: str) -> None:
    screen.type(text)
    screen.key("Return")


def rows(data_dir: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(data_dir / "coterie.sqlite") as connection:
        found = connection.execute(sql).fetchall()
    connection.close()
    return found


def coterie(
    data_dir: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app", "--data-dir", str(data_dir), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)


def test_prompt_is_answered_and_kept(screen: Screen, data_dir: Path, tmp_path: Path) -> None:
    with open_window(screen, data_dir) as program:
        ask(screen, "What is a mixture of experts?")
        program.wait_for("ended: complete")
        assert screen.shoot(tmp_path / "answered.png").stat().st_size > 10_000
        (worker,) = program.workers()
        screen.key("ctrl+q")
        program.wait_for("app.main: ended")
        assert program.process.wait(20) == 0
        psutil.wait_procs([worker], timeout=10)
        assert not worker.is_running()
    ((question,), (answer,)) = rows(data_dir, "SELECT text FROM parts ORDER BY message_id, position")
    assert question == "What is a mixture of experts?"
    assert "expert" in str(answer)
    # The next start shows it again.
    with open_window(screen, data_dir) as program:
        assert rows(data_dir, "SELECT status FROM messages WHERE role = 'assistant'") == [("complete",)]


def wait_until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    """For a state that nothing announces."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def test_killed_worker_is_said_and_the_next_message_works(screen: Screen, data_dir: Path) -> None:
    assert coterie(data_dir, "settings", "set", "sampling_defaults", '{"max_tokens": 300}').returncode == 0
    with open_window(screen, data_dir) as program:
        ask(screen, "Write a very long story about a river, with many chapters.")
        program.wait_for("answer 2 of conversation 1 begins")
        wait_until(lambda: rows(data_dir, "SELECT 1 FROM chunks"))
        (worker,) = program.workers()
        worker.send_signal(signal.SIGKILL)
        program.wait_for("notice: ")
        assert program.process.poll() is None
        ask(screen, "Say hello.")
        program.wait_for("ended: complete")
    statuses = [status for (status,) in rows(data_dir, "SELECT status FROM messages ORDER BY id")]
    assert statuses == ["complete", "interrupted", "complete", "complete"]
    assert rows(data_dir, "SELECT text FROM parts WHERE message_id = 2")


def test_commands_work_beside_the_window(screen: Screen, data_dir: Path) -> None:
    with open_window(screen, data_dir) as program:
        done = coterie(data_dir, "chat", "--json", "--max-tokens", "5", "Say hello.")
        assert done.returncode == 0, done.stderr
        listed = coterie(data_dir, "conversations", "list", "--json")
        assert len(json.loads(listed.stdout)) == 1
        # One owner: the model of the command runs in the window's worker.
        assert len(program.workers()) == 1


def test_second_start_raises_the_first(screen: Screen, data_dir: Path) -> None:
    with open_window(screen, data_dir) as program:
        second = coterie(data_dir, env=screen.environment())
        assert second.returncode == 0, second.stderr
        assert program.process.poll() is None


def test_sigterm_keeps_what_had_arrived(screen: Screen, data_dir: Path) -> None:
    with open_window(screen, data_dir) as program:
        ask(screen, "Write a very long story about a mountain, with many chapters.")
        program.wait_for("engine starter is ready")
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(20) == 0
    ((status,),) = rows(data_dir, "SELECT status FROM messages WHERE role = 'assistant'")
    assert status == "complete"  # stopped in an orderly way
    assert rows(data_dir, "SELECT stop_reason FROM generations") == [("cancelled",)]


def test_newer_database_is_refused_with_a_sentence(screen: Screen, data_dir: Path) -> None:
    coterie(data_dir, "conversations", "list")
    with sqlite3.connect(data_dir / "coterie.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99999")
    connection.close()
    refused = coterie(data_dir, "conversations", "list", env={**os.environ})
    assert refused.returncode == 1
    assert "newer" in refused.stderr.lower()
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_command_serves_through_the_open_window(screen: Screen, data_dir: Path) -> None:
    with open_window(screen, data_dir) as program:
        with serve(data_dir) as serving, serving.http() as http:
            assert json.loads((data_dir / "owner.json").read_text())["pid"] == program.process.pid
            body = {"model": "starter-dense", "prompt": "The capital of France is", "max_tokens": 4}
            assert "choices" in http.post("/v1/completions", json=body).json()
        assert serving.process.returncode == 0
        # The window goes on, and nothing listens any more.
        ask(screen, "What is a mixture of experts?")
        program.wait_for("ended: complete")
        listening = [
            found
            for found in psutil.Process(program.process.pid).net_connections("tcp")
            if found.status == "LISTEN"
        ]
        assert not listening
