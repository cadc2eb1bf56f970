"""Order, trash, backups and care of the database on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.store import Store
from tests.helpers.cli import coterie, refuse, start, succeed
from tests.helpers.databases import fill


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with conversations; no model answered."""
    folder = tmp_path / "data"
    store = Store(folder / "coterie.sqlite")
    fill(store)
    for download in store.downloads.list():
        store.downloads.delete(download.id)  # it would go on, and ask the network
    store.close()
    return folder


def told(data_dir: Path, *arguments: str) -> Any:
    return json.loads(succeed(coterie(data_dir, *arguments, "--json")).stdout)


def test_backup_is_made_checked_and_put_back(data_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick.sqlite"
    made = told(data_dir, "backup", "create", str(target))
    assert (made["path"], made["n_conversations"]) == (str(target), 4)
    refuse(coterie(data_dir, "backup", "create", str(target)), "exists")
    assert told(data_dir, "backup", "create", "--if-due")["n_messages"] == 10
    assert told(data_dir, "backup", "create", "--if-due") is None
    (listed,) = told(data_dir, "backup", "list")
    assert listed["kind"] == "auto"
    told(data_dir, "conversations", "delete", "1", "2")
    (data_dir / "coterie.sqlite").write_bytes(b"broken " * 1000)
    refuse(coterie(data_dir, "conversations", "list"), "damaged")
    restored = told(data_dir, "backup", "restore", Path(listed["path"]).name)
    assert Path(restored["replaced"]).read_bytes().startswith(b"broken")
    assert [one["title"] for one in told(data_dir, "conversations", "list")] == ["Mixtures", "Flags"]
    target.write_bytes(target.read_bytes()[:20_000])
    refuse(coterie(data_dir, "backup", "verify", str(target)), "nothing was changed")
    refuse(coterie(data_dir, "backup", "restore", str(target)), "nothing was changed")
    refuse(coterie(data_dir, "backup", "verify", "none.sqlite"), "no such file")
    refuse(coterie(data_dir, "backup", "remove", Path(listed["path"]).name, "none.sqlite"), "no such file")
    told(data_dir, "backup", "remove", Path(listed["path"]).name)
    assert [one["kind"] for one in told(data_dir, "backup", "list")] == ["replaced"]


def test_nothing_is_put_back_under_a_program_that_is_open(data_dir: Path) -> None:
    made = told(data_dir, "backup", "create")
    with start(data_dir, "chat") as open_program:
        assert open_program.stdin is not None
        # Another command is relayed to it once it owns the folder.
        told(data_dir, "conversations", "list")
        refuse(coterie(data_dir, "backup", "restore", made["path"]), "close it")
        open_program.stdin.close()
        open_program.wait(timeout=60)
        assert open_program.stdout is not None
        assert open_program.stderr is not None


def test_persona_answers_and_how_it_was_loaded_is_noted(data_dir: Path) -> None:
    told(data_dir, "prompts", "save", "Pirate", "Talk like a pirate.", "--sampling", '{"max_tokens": 4}')
    done = succeed(coterie(data_dir, "chat", "--prompt", "pirate", "--logprobs", "2", "--json", "Hello"))
    conversation_id = json.loads(done.stdout.splitlines()[-1])["conversation_id"]
    shown = told(data_dir, "conversations", "show", str(conversation_id))
    assert (shown["system_prompt"], shown["sampling"]) == ("Talk like a pirate.", {"max_tokens": 4})
    generation = shown["messages"][1]["generation"]
    assert generation["completion_tokens"] <= 4
    assert generation["load_plan"]["n_ctx_tokens"] > 0
    assert len(generation["template_sha256"]) == 64
    store = Store(data_dir / "coterie.sqlite")
    try:
        message_id = shown["messages"][1]["id"]
        likelihoods = store.traces.get(message_id, "top_logprobs")
        chosen = store.traces.get(message_id, "logprobs")
        assert likelihoods is not None
        assert chosen is not None
        assert likelihoods.shape == (len(chosen), 2)
        assert store.conversations.verify() == []
    finally:
        store.close()
