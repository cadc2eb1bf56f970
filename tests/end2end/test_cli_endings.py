"""How a command ends when others have a say: the system, a reader who leaves, the folder around it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.cli import coterie, start, succeed

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no such signals")

STORY = "Tell me a very long story about a river."


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def owner(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A conversation that owns the folder and waits for its next line."""
    with start(data_dir, "chat", "--json", "--max-tokens", "2") as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write("Hello\n")
        program.stdin.flush()
        while json.loads(program.stdout.readline())["type"] != "done":
            pass
        yield program
        program.kill()


def stop_reasons(data_dir: Path) -> list[str]:
    listed = json.loads(succeed(coterie(data_dir, "conversations", "list", "--json")).stdout)
    reasons = []
    for conversation in listed:
        shown = succeed(coterie(data_dir, "conversations", "show", str(conversation["id"]), "--json"))
        reasons.append(json.loads(shown.stdout)["messages"][-1]["generation"]["stop_reason"])
    return reasons


def test_system_that_ends_the_owner_is_not_kept_waiting(data_dir: Path, owner: subprocess.Popen[str]) -> None:
    """Not even by a command that does not read what is sent to it."""
    with start(data_dir, "chat", "--json", STORY) as second:
        assert second.stdout is not None
        second.stdout.readline()
        second.send_signal(signal.SIGSTOP)
        owner.send_signal(signal.SIGTERM)
        assert owner.wait(30) == 130
        second.send_signal(signal.SIGCONT)
        _, errors = second.communicate(timeout=30)
        assert second.returncode == 1
        assert "has ended" in errors
        assert len(errors.strip().splitlines()) == 1
    assert sorted(stop_reasons(data_dir)) == ["cancelled", "length"]


def test_sigterm_keeps_what_had_arrived(data_dir: Path) -> None:
    with start(data_dir, "chat", "--json", STORY) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        _, errors = program.communicate(timeout=30)
        assert (program.returncode, errors) == (130, "")
    assert coterie(data_dir, "conversations", "search", "river", "--json").returncode == 0
    shown = json.loads(coterie(data_dir, "conversations", "show", "1", "--json").stdout)
    answer = shown["messages"][1]
    assert answer["status"] in ("complete", "interrupted")
    assert answer["parts"][0]["text"]


def test_reader_that_leaves_stops_the_answer(data_dir: Path) -> None:
    with start(data_dir, "chat", "--json", STORY) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.stdout.close()
        assert program.wait(30) == 130
        assert program.stderr is not None
        assert program.stderr.read() == ""
    assert json.loads(coterie(data_dir, "conversations", "show", "1", "--json").stdout)["messages"][1][
        "parts"
    ]


def test_folder_with_an_app_of_its_own_is_no_trap(data_dir: Path, tmp_path: Path) -> None:
    """Workers are this program again, not whatever is called `app` where the person happens to be."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "app.py").write_text("raise SystemExit('this is not Coterie')")
    command = [sys.executable, "-P", "-m", "app", "--data-dir", str(data_dir)]
    done = subprocess.run(
        [*command, "chat", "--json", "--max-tokens", "2", "Hello"],
        cwd=tmp_path / "project",
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert succeed(done).stdout.splitlines()[-1].startswith('{"type": "done"')


def test_others_end_before_their_owner_does(data_dir: Path, owner: subprocess.Popen[str]) -> None:
    with start(data_dir, "chat", "--json", "--max-tokens", "60", STORY) as second:
        assert second.stdout is not None
        second.stdout.readline()
        assert owner.stdin is not None
        owner.stdin.close()
        assert json.loads(second.stdout.readlines()[-1])["type"] == "done"
        assert second.wait(30) == 0
    assert owner.wait(30) == 0
