"""The program tells of itself: `self-check` and `doctor`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.cli import coterie, succeed


def test_self_check_is_ok(tmp_path: Path) -> None:
    found = json.loads(succeed(coterie(tmp_path / "data", "self-check", "--json")).stdout)
    assert found["ok"] is True
    assert [check["name"] for check in found["checks"]] == [
        "starter",
        "database",
        "load",
        "answer",
        "read back",
        "search",
        "unload",
    ]
    assert all(check["ok"] and check["detail"] for check in found["checks"])
    assert not (tmp_path / "data").exists(), "a check leaves a person's folder alone"


def test_doctor_tells_what_is_here(tmp_path: Path) -> None:
    found = json.loads(succeed(coterie(tmp_path / "data", "doctor", "--json")).stdout)
    assert {"processor", "devices", "memory", "disk", "versions", "paths"} <= set(found)
    assert found["processor"]["build_features"]
    assert found["processor"]["features"]
    assert found["devices"]
    assert found["memory"]["total_bytes"] > 0
    assert found["disk"]["free_bytes"] > 0
    assert found["versions"]["coterie"]
    assert found["paths"]["data"] == str(tmp_path / "data")
    assert found["failures"] == []
