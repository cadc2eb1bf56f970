"""Bad input gets one clear sentence and the next step, exit code 1, and loses nothing."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from model_manager import starter
from tests.helpers.cli import coterie, refuse, succeed
from tests.helpers.ggufs import write_model


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def questions(data_dir: Path) -> list[str]:
    with sqlite3.connect(data_dir / "coterie.sqlite") as connection:
        found = connection.execute(
            "SELECT text FROM parts JOIN messages ON messages.id = message_id WHERE role = 'user'"
        ).fetchall()
    connection.close()
    return [text for (text,) in found]


def test_not_a_gguf(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "poem.gguf"
    path.write_text("Roses are red")
    refuse(coterie(data_dir, "chat", "-m", str(path), "Hello"), "poem.gguf", "GGUF")
    refuse(coterie(data_dir, "models", "import", str(path)), "GGUF")


def test_truncated_model(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    whole = starter.dense_path().read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refuse(coterie(data_dir, "chat", "-m", str(path), "Hello"), "half.gguf")


def test_model_that_llama_cpp_refuses(
    data_dir: Path, tmp_path: Path, expected_logs: Callable[[str], None]
) -> None:
    expected_logs("Duplicated key name")  # the writer notices the lie
    path = tmp_path / "odd.gguf"
    write_model(path, metadata={"general.architecture": "no-such-thing"})
    refuse(coterie(data_dir, "chat", "-m", str(path), "Hello"), "odd", "no-such-thing")
    assert questions(data_dir) == ["Hello"]  # the question is kept


def test_model_whose_numbers_are_damaged(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.gguf"
    write_model(path)
    data = bytearray(path.read_bytes())
    begin = len(data) // 2  # tensors lie last, and are most of the file
    data[begin:] = b"\xff" * (len(data) - begin)  # each number is none
    path.write_bytes(data)
    refuse(coterie(data_dir, "chat", "-m", str(path), "Hello"), "damaged")
    assert "LoadFailed: damaged: " in (data_dir / "logs" / "coterie.log").read_text()
    assert questions(data_dir) == ["Hello"]


def test_context_larger_than_the_model(data_dir: Path) -> None:
    succeed(coterie(data_dir, "settings", "set", "n_ctx_tokens", "9999999"))
    refuse(coterie(data_dir, "chat", "Hello"), "context")
    assert questions(data_dir) == ["Hello"]


def test_empty_prompt(data_dir: Path) -> None:
    refuse(coterie(data_dir, "chat", "  "))
    assert questions(data_dir) == []


def test_prompt_longer_than_the_context(data_dir: Path) -> None:
    succeed(coterie(data_dir, "settings", "set", "n_ctx_tokens", "512"))
    refuse(coterie(data_dir, "chat", "word " * 2000), "512")
    assert len(questions(data_dir)) == 1


def test_unknown_model_and_conversation(data_dir: Path) -> None:
    refuse(coterie(data_dir, "chat", "-m", "nobody", "Hello"), "nobody")
    refuse(coterie(data_dir, "models", "verify", "nobody"), "“nobody”")
    refuse(coterie(data_dir, "models", "pause", "99"), "download 99")
    refuse(coterie(data_dir, "chat", "-c", "99", "Hello"), "conversation")
    refuse(coterie(data_dir, "conversations", "show", "99"), "conversation")
    assert questions(data_dir) == []


def test_json_says_the_error_too(data_dir: Path) -> None:
    done = coterie(data_dir, "chat", "--json", "-m", "nobody", "Hello")
    refuse(done)
    assert json.loads(done.stdout)["error"] == "ModelNotFound"


def test_data_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refuse(coterie(tmp_path / "file", "conversations", "list"), "--data-dir")


def test_data_folder_cannot_be_made() -> None:
    refuse(coterie(Path("/proc/coterie"), "conversations", "list"), "/proc/coterie", "--data-dir")


def test_newer_database(data_dir: Path) -> None:
    succeed(coterie(data_dir, "conversations", "list"))
    with sqlite3.connect(data_dir / "coterie.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99999")
    connection.close()
    refuse(coterie(data_dir, "conversations", "list"), "newer")


def test_damaged_database(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "coterie.sqlite").write_bytes(b"not a database" * 1000)
    refuse(coterie(data_dir, "conversations", "list"))
    assert (data_dir / "coterie.sqlite").read_bytes().startswith(b"not a database")


def test_full_disk_keeps_what_was_acknowledged(data_dir: Path) -> None:
    succeed(coterie(data_dir, "chat", "--max-tokens", "4", "Hello"))
    size_bytes = (data_dir / "coterie.sqlite").stat().st_size

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))

    # As many words that are not in the index yet as do not fit into a log of the database's own size.
    words = " ".join(f"w{number}" for number in range(17_000))
    refuse(coterie(data_dir, "chat", "--max-tokens", "4", words, preexec_fn=limit))
    assert questions(data_dir)[0] == "Hello"
    succeed(coterie(data_dir, "chat", "--max-tokens", "4", "Hello again"))


def test_starter_is_missing(data_dir: Path, tmp_path: Path) -> None:
    refuse(
        coterie(data_dir, "chat", "Hello", env={"COTERIE_CACHE_DIR": str(tmp_path / "empty")}), "make setup"
    )


def test_sentences_follow_the_language_that_is_set(data_dir: Path) -> None:
    succeed(coterie(data_dir, "settings", "set", "language", "zh_CN"))
    refuse(coterie(data_dir, "chat", "-m", "nobody", "Hello"), "模型")
