"""`coterie models` on the models of this machine: taken over from other programs, described, removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import coterie, refuse, succeed
from tests.helpers.ggufs import write_model


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """LM Studio's folder of a home of its own."""
    store = tmp_path / "home" / ".lmstudio" / "models" / "owner" / "repo"
    store.mkdir(parents=True)
    write_model(store / "tiny.gguf")
    (store / "letter.gguf").write_text("Dear Sir or Madam")
    return store


def listed(data_dir: Path, *arguments: str) -> list[dict[str, Any]]:
    done = succeed(coterie(data_dir, "models", "list", *arguments, "--json"))
    return [entry for entry in json.loads(done.stdout) if not entry["is_starter"]]


def test_models_of_another_program_come_over(data_dir: Path, store: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path / "home")}
    tried = succeed(coterie(data_dir, "models", "import", "--from", "lmstudio", "--dry-run", env=env))
    assert "tiny" in tried.stdout
    assert listed(data_dir) == []
    for status in ("added", "known"):
        done = succeed(coterie(data_dir, "models", "import", "--from", "lmstudio", "--json", env=env))
        items = {item["name"]: item for item in json.loads(done.stdout)["items"]}
        assert items["tiny"]["status"] == status
        assert items["letter"]["reason"] == "not_gguf"
    (entry,) = listed(data_dir)
    assert (entry["paths"], entry["is_ours"]) == ([str(store / "tiny.gguf")], False)
    assert (entry["state"], entry["source"]) == ("unverified", "lmstudio:owner/repo")


def test_words_states_and_removal(data_dir: Path, store: Path) -> None:
    succeed(coterie(data_dir, "models", "import", ".", cwd=store))
    succeed(coterie(data_dir, "models", "tag", "tiny", "fast", "code"))
    done = succeed(coterie(data_dir, "models", "tag", "tiny", "--remove", "code", "--json"))
    assert json.loads(done.stdout) == {"name": "tiny", "tags": ["fast"]}
    succeed(coterie(data_dir, "models", "note", "tiny", "Good at German."))
    assert succeed(coterie(data_dir, "models", "note", "tiny")).stdout == "Good at German.\n"
    succeed(coterie(data_dir, "models", "verify", "tiny"))
    (entry,) = listed(data_dir, "--tag", "fast")
    assert (entry["state"], entry["tags"], entry["note"]) == ("verified", ["fast"], "Good at German.")
    assert listed(data_dir, "--tag", "code") == []
    assert "#fast" in succeed(coterie(data_dir, "models", "list")).stdout
    succeed(coterie(data_dir, "models", "remove", "tiny", "--delete-files"))
    assert not (store / "tiny.gguf").exists()
    assert listed(data_dir) == []


def test_models_move_and_copies_are_found(data_dir: Path, store: Path, tmp_path: Path) -> None:
    succeed(coterie(data_dir, "models", "import", str(store)))
    succeed(coterie(data_dir, "models", "move", "tiny", "--to", "big", cwd=tmp_path))
    (entry,) = listed(data_dir)
    assert (entry["paths"], entry["is_ours"]) == ([str(tmp_path / "big" / "tiny.gguf")], True)
    assert (store / "tiny.gguf").is_file()
    assert "twice" in succeed(coterie(data_dir, "models", "duplicates")).stdout
    succeed(coterie(data_dir, "models", "import", str(store)))
    (group,) = json.loads(succeed(coterie(data_dir, "models", "duplicates", "--json")).stdout)
    assert (group["names"], group["wasted_bytes"]) == (["tiny", "tiny-2"], entry["size_bytes"])
    succeed(coterie(data_dir, "models", "move", "tiny", "--cancel"))
    refuse(coterie(data_dir, "models", "move", "starter", "--to", "big", cwd=tmp_path), "starter")
    succeed(coterie(data_dir, "models", "remove", "tiny"))
    assert not (tmp_path / "big" / "tiny.gguf").exists()


def test_what_makes_no_sense_is_refused(data_dir: Path, store: Path) -> None:
    refuse(coterie(data_dir, "models", "import", "--from", "nothing"), "ollama")
    refuse(coterie(data_dir, "models", "tag", "nothing", "x"), "nothing")
    refuse(coterie(data_dir, "models", "note", "nothing", "x"), "nothing")
    for wrong in ([], ["x.gguf", "--from", "hub"], ["x.gguf", "--dry-run"], [str(store), "--copy"]):
        done = coterie(data_dir, "models", "import", *wrong)
        assert done.returncode == 2, wrong
        assert done.stderr.startswith("coterie: ")
