"""`coterie conversations import|export`: in from another program, out as every format, and in again."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import coterie, refuse, succeed
from tests.helpers.exports import SAMPLES


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the conversations of two programs."""
    folder = tmp_path_factory.mktemp("exchange") / "data"
    samples = tmp_path_factory.mktemp("samples")
    shutil.copy(SAMPLES / "chatgpt" / "conversations.json", samples / "a.json")
    shutil.copy(SAMPLES / "open_webui.json", samples / "b.json")
    done = succeed(coterie(folder, "conversations", "import", str(samples)))
    assert done.stdout.startswith("ChatGPT, Open WebUI\n3 conversations are new.")
    return folder


def conversations(data_dir: Path) -> list[dict[str, Any]]:
    found = json.loads(succeed(coterie(data_dir, "conversations", "list", "--json")).stdout)
    assert isinstance(found, list)
    return found


def test_an_import_says_what_came_and_what_did_not(tmp_path: Path) -> None:
    path = str(SAMPLES / "chatgpt" / "conversations.json")
    trial = succeed(coterie(tmp_path, "conversations", "import", path, "--dry-run"))
    assert "1 conversation would be new. 5 messages." in trial.stdout
    assert "1 conversation without messages was left out." in trial.stdout
    assert conversations(tmp_path) == []
    done = json.loads(succeed(coterie(tmp_path, "conversations", "import", path, "--json")).stdout)
    assert done["programs"] == ["ChatGPT"]
    assert (done["n_new"], done["n_messages"], done["n_empty"]) == (1, 5, 1)
    assert done["lost"] == {"image": 1, "file": 1}
    again = succeed(coterie(tmp_path, "conversations", "import", path))
    assert "Nothing new" in again.stdout


def test_a_broken_file_gives_what_is_whole(tmp_path: Path) -> None:
    whole = (SAMPLES / "open_webui.json").read_text("utf-8")
    path = tmp_path / "cut.json"
    path.write_text(whole[:-20], "utf-8")
    done = coterie(tmp_path / "data", "conversations", "import", str(path))
    assert done.returncode == 1
    assert "1 conversation is new." in done.stdout
    assert "1 place could not be read; everything else was." in done.stderr
    assert "cut.json, 2: the file ends within it" in done.stderr


def test_what_cannot_be_imported_is_said_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("[1, 2]")
    refuse(coterie(tmp_path / "data", "conversations", "import", str(path)), "known format")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as made:
        made.writestr("../conversations.json", "[]")
    refuse(
        coterie(tmp_path / "data", "conversations", "import", str(tmp_path / "bad.zip")), "leads out of it"
    )


def test_everything_goes_out_and_comes_in_elsewhere(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    done = succeed(coterie(data_dir, "conversations", "export", "--all", "-o", str(path), "--json"))
    assert json.loads(done.stdout) == {"path": str(path), "n_conversations": 3}
    report = succeed(coterie(tmp_path / "other", "conversations", "import", str(path), "--json"))
    assert json.loads(report.stdout)["n_new"] == 3
    assert json.loads(report.stdout)["lost"] == {}


def test_one_conversation_as_text(data_dir: Path) -> None:
    text = succeed(coterie(data_dir, "conversations", "export", "2", "--format", "markdown")).stdout
    assert text.startswith("# From Open WebUI\n")
    assert "<summary>Reasoning</summary>\n\n> Divisors of 7:" in text
    value = json.loads(succeed(coterie(data_dir, "conversations", "export", "2")).stdout)
    assert value["format"] == "coterie"


def test_pdf(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pdfs"
    arguments = ("conversations", "export", "--all", "--format", "pdf", "-o", str(folder))
    succeed(coterie(data_dir, *arguments))
    files = sorted(folder.iterdir())
    assert [file.suffix for file in files] == [".pdf"] * 3
    assert all(file.read_bytes().startswith(b"%PDF-") for file in files)
    assert {file.name.split(" ", 1)[1] for file in files} == {
        "Experts b bold b.pdf",
        "From Open WebUI.pdf",
        "Without a tree.pdf",
    }
    refuse(coterie(data_dir, *arguments), "is there already")


def test_examples_for_training(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    done = succeed(
        coterie(data_dir, "conversations", "export", "--all", "--format", "sharegpt", "-o", str(path))
    )
    assert "3 conversations" in done.stdout
    assert [list(json.loads(line)) for line in path.read_text("utf-8").splitlines()] == [
        ["conversations"]
    ] * 3
    done = succeed(
        coterie(
            data_dir, "conversations", "export", "--all", "--format", "openai", "-o", str(path), "--force",
            "--min-characters", "10",
        )
    )  # fmt: skip
    assert "left out: 1 too short" in done.stdout


def test_what_cannot_be_exported_is_said(data_dir: Path, tmp_path: Path) -> None:
    refuse(coterie(data_dir, "conversations", "export", "999"), "no longer exists")
    gone = str(tmp_path / "gone" / "x.json")
    refuse(coterie(data_dir, "conversations", "export", "1", "-o", gone), "No such file")
    assert "--output" in coterie(data_dir, "conversations", "export", "--all").stderr
