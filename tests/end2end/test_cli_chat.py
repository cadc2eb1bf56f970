"""`coterie chat` with the real starter model in a real worker."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path

import pytest

from model_manager import starter
from tests.helpers.cli import coterie, events, refuse, start, succeed
from tests.helpers.mmprojs import png, write_mmproj


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_answer_streams_and_is_kept(data_dir: Path) -> None:
    done = succeed(coterie(data_dir, "chat", "--json", "--max-tokens", "60", "What is a mixture of experts?"))
    *deltas, last = events(done)
    assert {event["type"] for event in deltas} == {"text"}
    answer = "".join(event["text"] for event in deltas)
    assert "expert" in answer
    assert set(last) == {"type", "conversation_id", "message_id", "usage", "timings", "stop_reason"}
    assert last["type"] == "done"
    assert last["stop_reason"] in ("stop", "length")
    assert set(last["usage"]) == {
        "prompt_tokens",
        "cached_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "dropped_reasoning_tokens",
    }
    assert set(last["timings"]) == {"ttft_ms", "prefill_tokens_per_s", "decode_tokens_per_s"}
    assert last["usage"]["completion_tokens"] > 5

    shown = json.loads(succeed(coterie(data_dir, "conversations", "show", "1", "--json")).stdout)
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant"]
    assert shown["messages"][1]["parts"] == [{"kind": "text", "text": answer}]
    assert shown["title"] == "What is a mixture of experts?"

    more = succeed(coterie(data_dir, "chat", "--json", "-c", "1", "--max-tokens", "8", "And why?"))
    assert events(more)[-1]["conversation_id"] == 1
    assert events(more)[-1]["usage"]["prompt_tokens"] > last["usage"]["prompt_tokens"]

    listed = json.loads(succeed(coterie(data_dir, "models", "list", "--json")).stdout)
    (used,) = [entry for entry in listed if entry["used_at"] is not None]
    assert used["name"] == "starter"
    assert used["decode_tokens_per_s"] > 0

    hits = json.loads(succeed(coterie(data_dir, "conversations", "search", "mixt", "--json")).stdout)
    assert {"conversation_id", "message_id", "part", "snippet", "title", "created_at"} == set(hits[0])
    assert {hit["message_id"] for hit in hits} >= {1}


def test_turns_of_stdin_reuse_what_was_computed(data_dir: Path) -> None:
    lines = "My name is Ada.\nWhat is my name?\nThank you.\n"
    done = succeed(coterie(data_dir, "chat", "--json", "--max-tokens", "12", stdin=lines))
    ends = [event for event in events(done) if event["type"] == "done"]
    assert len(ends) == 3
    assert len({end["conversation_id"] for end in ends}) == 1
    for before, after in itertools.pairwise(ends):
        # All that the earlier turn had computed; the last token was chosen and never decoded.
        earlier = before["usage"]["prompt_tokens"] + before["usage"]["completion_tokens"] - 1
        assert after["usage"]["cached_tokens"] >= earlier - 1


def test_reasoning_comes_apart_from_the_answer(data_dir: Path) -> None:
    done = succeed(
        coterie(
            data_dir,
            "chat",
            "--json",
            "-m",
            "starter-thinking",
            "--think-budget",
            "20",
            "--max-tokens",
            "60",
            "Why?",
        )
    )
    kinds = [event["type"] for event in events(done)]
    assert kinds[0] == "reasoning"
    assert "text" in kinds
    assert kinds.index("text") > max(n for n, kind in enumerate(kinds) if kind == "reasoning")
    assert events(done)[-1]["usage"]["reasoning_tokens"] >= 20
    shown = json.loads(succeed(coterie(data_dir, "conversations", "show", "1", "--json")).stdout)
    assert [part["kind"] for part in shown["messages"][1]["parts"]] == ["reasoning", "text"]
    word = shown["messages"][1]["parts"][0]["text"].split()[0]
    hits = json.loads(
        succeed(coterie(data_dir, "conversations", "search", word, "--part", "reasoning", "--json")).stdout
    )
    assert hits[0]["part"] == "reasoning"


def test_same_seed_same_text(data_dir: Path) -> None:
    arguments = ("chat", "--json", "--seed", "7", "--max-tokens", "24", "Tell me something.")
    first, second = (events(succeed(coterie(data_dir, *arguments))) for _ in range(2))
    assert [e["text"] for e in first[:-1]] == [e["text"] for e in second[:-1]]


def test_ctrl_c_stops_the_answer_and_keeps_it(data_dir: Path) -> None:
    with start(data_dir, "chat", "--json", "Write a very long story about a river.") as program:
        assert program.stdout is not None
        assert json.loads(program.stdout.readline())["type"] == "text"
        program.send_signal(signal.SIGINT)
        output = program.stdout.read()
        assert program.wait(30) == 0
    assert json.loads(output.splitlines()[-1])["stop_reason"] == "cancelled"
    shown = json.loads(succeed(coterie(data_dir, "conversations", "show", "1", "--json")).stdout)
    assert shown["messages"][1]["status"] == "complete"
    assert shown["messages"][1]["parts"][0]["text"]


def test_usage_and_version(data_dir: Path) -> None:
    assert coterie(data_dir, "chat", "--max-tokens", "0", "Hi").returncode == 2
    assert coterie(data_dir, "nonsense").returncode == 2
    assert succeed(coterie(data_dir, "--version")).stdout.startswith("coterie ")
    assert "models" in succeed(coterie(data_dir, "--help")).stdout


def test_self_check_and_doctor(data_dir: Path) -> None:
    check = json.loads(succeed(coterie(data_dir, "self-check", "--json")).stdout)
    assert check["ok"] is True
    assert [c["name"] for c in check["checks"]] == [
        "starter", "database", "load", "answer", "read back", "search", "unload",
    ]  # fmt: skip
    report = json.loads(succeed(coterie(data_dir, "doctor", "--json")).stdout)
    assert {"processor", "devices", "memory", "disk", "versions", "paths", "warnings", "failures"} <= set(
        report
    )
    assert report["failures"] == []


@pytest.fixture
def seeing_model(tmp_path: Path) -> Path:
    """The dense starter with a random vision tower beside it."""
    folder = tmp_path / "model"
    folder.mkdir()
    model = folder / "seeing.gguf"
    model.symlink_to(starter.dense_path())
    write_mmproj(folder / "mmproj-F32.gguf", 576)
    return model


def test_image_is_seen_and_kept(data_dir: Path, seeing_model: Path, tmp_path: Path) -> None:
    image = tmp_path / "a picture.png"
    image.write_bytes(png(60, 40))
    short = ("--json", "--max-tokens", "6", "--temperature", "0", "-m", str(seeing_model))
    with_image = events(succeed(coterie(data_dir, "chat", *short, "--image", str(image), "What is this?")))
    without = events(succeed(coterie(data_dir, "chat", *short, "What is this?")))
    n_prompt_tokens = [done[-1]["usage"]["prompt_tokens"] for done in (with_image, without)]
    assert n_prompt_tokens[0] > n_prompt_tokens[1] + 8

    # The next turn still holds the image.
    more = events(succeed(coterie(data_dir, "chat", *short, "-c", "1", "And its colour?")))
    assert more[-1]["usage"]["prompt_tokens"] > n_prompt_tokens[0]
    shown = json.loads(succeed(coterie(data_dir, "conversations", "show", "1", "--json")).stdout)
    assert shown["messages"][0]["images"] == ["a picture.png"]


def test_image_that_cannot_be_used(data_dir: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("no picture")
    refuse(coterie(data_dir, "chat", "--image", str(text), "What is this?"), "PNG")
    refuse(coterie(data_dir, "chat", "--image", str(tmp_path / "none.png"), "What is this?"), "none.png")
    image = tmp_path / "a.png"
    image.write_bytes(png(8, 8))
    refuse(coterie(data_dir, "chat", "-m", "starter-dense", "--image", str(image), "Hm?"), "cannot see")
