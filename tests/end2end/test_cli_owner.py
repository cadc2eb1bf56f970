"""A second program on the same data folder uses the first."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import coterie, events, refuse, start, succeed
from tests.helpers.ggufs import write_model


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def talk(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A `chat` that owns the folder, has answered once and reads the next line of its input."""
    with start(data_dir, "chat", "--json", "--max-tokens", "4") as program:
        ask(program, "Hello")
        yield program
        program.kill()


def ask(program: subprocess.Popen[str], text: str) -> dict[str, object]:
    """One turn; returns its last event."""
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(f"{text}\n")
    program.stdin.flush()
    for line in program.stdout:
        event: dict[str, object] = json.loads(line)
        if event["type"] == "done":
            return event
    raise AssertionError("the conversation has ended")


def shown_answer(data_dir: Path, conversation_id: int) -> dict[str, Any]:
    """The first answer of a conversation."""
    done = succeed(coterie(data_dir, "conversations", "show", str(conversation_id), "--json"))
    found: dict[str, Any] = json.loads(done.stdout)["messages"][1]
    return found


def test_others_work_beside_a_conversation(data_dir: Path, talk: subprocess.Popen[str]) -> None:
    owner = json.loads((data_dir / "owner.json").read_text())
    assert owner["pid"] == talk.pid
    listed = json.loads(succeed(coterie(data_dir, "conversations", "list", "--json")).stdout)
    assert [conversation["title"] for conversation in listed] == ["Hello"]
    assert "starter" in succeed(coterie(data_dir, "models", "list")).stdout
    # An answer there uses the model that is loaded already, and becomes a conversation of its own.
    other = events(succeed(coterie(data_dir, "chat", "--json", "--max-tokens", "4", "Who are you?")))[-1]
    assert other["conversation_id"] == 2
    assert ask(talk, "Go on")["conversation_id"] == 1
    assert json.loads((data_dir / "owner.json").read_text()) == owner


def test_input_and_errors_go_through_the_owner(data_dir: Path, talk: subprocess.Popen[str]) -> None:
    done = succeed(coterie(data_dir, "chat", "--json", "--max-tokens", "4", stdin="One.\nTwo.\n"))
    ends = [event for event in events(done) if event["type"] == "done"]
    assert [end["conversation_id"] for end in ends] == [2, 2]
    refuse(coterie(data_dir, "conversations", "show", "99"), "conversation")
    refuse(coterie(data_dir, "chat", "-m", "nobody", "Hello"), "nobody")
    assert coterie(data_dir, "nonsense").returncode == 2
    assert "--limit" in succeed(coterie(data_dir, "conversations", "list", "--help")).stdout
    assert ask(talk, "Go on")["conversation_id"] == 1


def test_files_are_looked_for_where_the_person_is(
    data_dir: Path, tmp_path: Path, talk: subprocess.Popen[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "poem.gguf").write_text("Roses are red")
    repository = str(Path(__file__).parents[2])
    done = coterie(
        data_dir,
        "models",
        "import",
        "poem.gguf",
        cwd=tmp_path / "elsewhere",
        env={"PYTHONPATH": repository},
    )
    refuse(done, "poem.gguf", "GGUF")


def test_stores_are_looked_for_where_the_environment_of_the_person_says(
    data_dir: Path, tmp_path: Path, talk: subprocess.Popen[str]
) -> None:
    snapshot = tmp_path / "hf" / "hub" / "models--owner--repo" / "snapshots" / "c1"
    snapshot.mkdir(parents=True)
    write_model(snapshot / "tiny.gguf")
    command = ("models", "import", "--from", "hub", "--json")
    done = succeed(coterie(data_dir, *command, env={"HF_HOME": str(tmp_path / "hf")}))
    assert [item["name"] for item in json.loads(done.stdout)["items"]] == ["tiny"]


def test_ctrl_c_stops_the_relayed_answer_alone(data_dir: Path, talk: subprocess.Popen[str]) -> None:
    with start(data_dir, "chat", "--json", "Write a very long story about a river.") as second:
        assert second.stdout is not None
        assert json.loads(second.stdout.readline())["type"] == "text"
        second.send_signal(signal.SIGINT)
        last = json.loads(second.stdout.read().splitlines()[-1])
        assert second.wait(30) == 0
    assert last["stop_reason"] == "cancelled"
    assert ask(talk, "Go on")["conversation_id"] == 1


def test_second_program_killed_leaves_its_answer_kept(data_dir: Path, talk: subprocess.Popen[str]) -> None:
    with start(data_dir, "chat", "--json", "Write a very long story about a river.") as second:
        assert second.stdout is not None
        assert json.loads(second.stdout.readline())["type"] == "text"
        second.kill()
    assert ask(talk, "Go on")["conversation_id"] == 1
    deadline = time.monotonic() + 20
    answer = shown_answer(data_dir, 2)
    while answer["status"] == "streaming" and time.monotonic() < deadline:
        answer = shown_answer(data_dir, 2)
    assert answer["status"] == "complete"
    assert answer["generation"]["stop_reason"] == "cancelled"
    assert answer["parts"][0]["text"]
    assert talk.poll() is None


def test_owner_killed_while_it_relays_is_said(data_dir: Path, talk: subprocess.Popen[str]) -> None:
    with start(data_dir, "chat", "--json", "Write a very long story about a river.") as second:
        assert second.stdout is not None
        assert json.loads(second.stdout.readline())["type"] == "text"
        os.kill(talk.pid, signal.SIGKILL)
        output, errors = second.communicate(timeout=30)
        assert second.returncode == 1
    assert len(errors.strip().splitlines()) == 1
    assert errors.startswith("coterie: ")
    assert json.loads(output.splitlines()[-1])["error"] == "OwnerGone"
    talk.wait(30)
    # The folder is free again, and the question is kept.
    listed = json.loads(succeed(coterie(data_dir, "conversations", "list", "--json")).stdout)
    assert len(listed) == 2
    assert shown_answer(data_dir, 2)["status"] == "interrupted"


def test_of_two_that_start_at_once_both_answer(data_dir: Path) -> None:
    arguments = ("chat", "--json", "--max-tokens", "8", "Hello")
    with start(data_dir, *arguments) as first, start(data_dir, *arguments) as second:
        results = [program.communicate(timeout=60) for program in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], results
    conversations = {json.loads(output.splitlines()[-1])["conversation_id"] for output, _errors in results}
    assert conversations == {1, 2}


def test_window_beside_an_owner_without_one_is_refused(data_dir: Path, talk: subprocess.Popen[str]) -> None:
    refuse(coterie(data_dir), "data folder")
    assert ask(talk, "Go on")["conversation_id"] == 1
