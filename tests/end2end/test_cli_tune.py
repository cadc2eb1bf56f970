"""`coterie models tune`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.helpers.cli import coterie, events, refuse, start, succeed
from tests.helpers.ggufs import write_model


def test_a_model_is_measured_and_loaded_so_from_then_on(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    succeed(coterie(data_dir, "models", "import", str(write_model(tmp_path / "tiny.gguf"))))
    *trials, outcome = events(
        succeed(coterie(data_dir, "models", "tune", "tiny", "--seconds", "0.1", "--json"))
    )
    assert trials
    assert all(trial["gain"] > 0 and trial["decode_tokens_per_s"] > 0 for trial in trials)
    taken = [trial["changes"] for trial in trials if trial["is_taken"]]
    assert outcome["changes"] == {name: value for changes in taken for name, value in changes.items()}

    plan = json.loads(succeed(coterie(data_dir, "models", "plan", "tiny", "--json")).stdout)
    assert plan["tuning"]["before"] == outcome["before"]
    assert plan["set"] == sorted(outcome["changes"])
    assert plan["plan"] | outcome["changes"] == plan["plan"]
    assert "measured" in succeed(coterie(data_dir, "models", "plan", "tiny")).stdout
    assert "measured" in succeed(coterie(data_dir, "models", "list")).stdout

    # What was measured is not true of another plan.
    plan = json.loads(succeed(coterie(data_dir, "models", "plan", "tiny", "--ctx", "64", "--json")).stdout)
    assert plan["tuning"] is None


def test_who_stops_it_keeps_the_plan(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    succeed(coterie(data_dir, "models", "import", str(write_model(tmp_path / "tiny.gguf"))))
    before = succeed(coterie(data_dir, "models", "plan", "tiny", "--json")).stdout
    process = start(data_dir, "models", "tune", "tiny", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["type"] == "trial"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "as before" in err
    assert succeed(coterie(data_dir, "models", "plan", "tiny", "--json")).stdout == before


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    refuse(coterie(tmp_path / "data", "models", "tune", "nothing"), "nothing")
