from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.stores import DownloadStore, LibraryStore
from model_manager.types import ModelRecord
from storage.thread import StorageThread


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[StorageThread]:
    thread = StorageThread(tmp_path / "coterie.sqlite")
    yield thread
    thread.close()


def test_models_come_back_as_they_were_put(storage: StorageThread) -> None:
    store = LibraryStore(storage)
    full = ModelRecord(
        "b",
        ("/m/b-1.gguf", "/m/b-2.gguf"),
        12,
        ("aa", "bb"),
        "hub:a/b",
        True,
        "{{ x }}",
        {"n": [1, {"k": "v"}]},
        ("code", "快"),
        "a note",
        ((12, 1_700_000_000_123_456_789),),
        {"at": "2026-01-02T03:04:05+00:00", "is_good": True, "looks": [[12, 1_700_000_000_123_456_789]]},
        "/home",
        {"folder": "/there"},
    )
    bare = ModelRecord("a", ("/m/a.gguf",), 3)
    store.put(full)
    store.put(bare)
    assert store.list() == [bare, full]
    assert store.get("b") == full
    assert store.get("c") is None
    replaced = ModelRecord("a", ("/m/other.gguf",), 4)
    store.put(replaced)
    assert store.get("a") == replaced
    store.delete("a")
    assert store.list() == [full]


def test_downloads_are_added_changed_and_forgotten(storage: StorageThread) -> None:
    store = DownloadStore(storage)
    first = store.add("a/b", "model", {"files": []})
    second = store.add("c/d", "other", {})
    assert [row.id for row in store.list()] == [first.id, second.id]
    store.update(first.id, status="failed", error="no room")
    store.update(first.id, plan={"files": [1]})
    row = store.list()[0]
    assert (row.status, row.error, row.plan) == ("failed", "no room", {"files": [1]})
    store.delete(first.id)
    assert store.list() == [second]
