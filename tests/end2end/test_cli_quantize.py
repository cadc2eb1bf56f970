"""`coterie models quantize`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil

from tests.helpers.cli import coterie, events, refuse, start, succeed
from tests.helpers.ggufs import QWEN3MOE, write_model


def test_a_mixture_gets_smaller_experts_and_is_in_the_library(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    path = write_model(tmp_path / "tiny.gguf", QWEN3MOE, n_experts=4)
    done = succeed(
        coterie(
            data_dir,
            *("models", "quantize", str(path), "q8_0", "--experts", "q4_0"),
            *("--tensor", "blk.0.ffn_up_exps=q5_0", "--output", "small", "--json"),
        )
    )
    *progress, outcome = events(done)
    assert progress[0]["done_bytes"] == 0
    assert all(event["type"] == "progress" for event in progress)
    assert outcome["type"] == "done"
    assert outcome["size_bytes"] < outcome["original"]["size_bytes"] == path.stat().st_size
    assert outcome["bytes_by_type"].keys() >= {"Q8_0", "Q4_0", "Q5_0", "F32"}
    assert outcome["warnings"] == []
    entries = json.loads(succeed(coterie(data_dir, "models", "list", "--json")).stdout)
    (entry,) = [entry for entry in entries if entry["name"] == "small"]
    assert entry["sha256"] == [outcome["sha256"]]
    # What was rounded once is rounded again, and that is said.
    again = succeed(coterie(data_dir, "models", "quantize", "small", "q4_0"))
    assert "already quantized" in again.stderr
    assert "small-Q4_0" in again.stdout


def test_wishes_that_make_no_sense_are_one_sentence(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    path = str(write_model(tmp_path / "tiny.gguf"))
    refuse(coterie(data_dir, "models", "quantize", path, "Q9_9"), "Q9_9", "Q4_K_M")
    refuse(coterie(data_dir, "models", "quantize", path, "Q8_0", "--experts", "Q4_0"), "no experts")
    refuse(coterie(data_dir, "models", "quantize", path, "Q8_0", "--tensor", "(=Q4_0"), "regular expression")
    refuse(coterie(data_dir, "models", "quantize", path, "F16", "--attention", "Q8_0"), "F16")
    refuse(coterie(data_dir, "models", "quantize", path, "F32"), "nothing would be gained")
    refuse(coterie(data_dir, "models", "quantize", "nothing", "Q8_0"), "nothing")
    assert coterie(data_dir, "models", "quantize", path, "Q8_0", "--tensor", "x").returncode == 2
    assert not list((data_dir / "models").glob("*.gguf*"))


def test_ctrl_c_stops_it_and_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    process = start(data_dir, "models", "quantize", "starter-dense", "q4_0", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["type"] == "progress"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "nothing was made" in err
    assert list((data_dir / "models").iterdir()) == []


def test_a_killed_program_leaves_nothing_half_made(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    process = start(data_dir, "models", "quantize", "starter-dense", "q4_0", "--json")
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["done_bytes"] == 0:
        pass
    assert [path.name for path in (data_dir / "models").iterdir()] == ["starter-dense-Q4_0.gguf.part"]
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.kill()
    process.communicate()
    _gone, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
    assert list((data_dir / "models").iterdir()) == []
