from __future__ import annotations

import sqlite3

import pytest

from storage.records import StoredModel
from storage.store import Store

MODEL = StoredModel(
    name="Mixtral 8x7B 专家",
    paths=("/models/a-00001-of-00002.gguf", "/models/a-00002-of-00002.gguf"),
    size_bytes=26_440_000_000,
    sha256=("ab" * 32, "cd" * 32),
    source="owner/repo",
    is_ours=True,
    chat_template="{{ messages }}",
    info={"architecture": "llama", "n_experts": 8, "nested": {"a": [1, 2.5, None]}},
    tags=("code", "快"),
    note="Good at German.",
    looks=((13, 1_700_000_000_123_456_789), (14, 2)),
    verification={"at": "2026-01-02T03:04:05+00:00", "is_good": True, "looks": [[13, 1], [14, 2]]},
    home="/big/disk",
    moving={"folder": "/other", "files": [["/a", "/b"]], "is_switched": False},
)


def test_entry_comes_back_as_it_was_put(store: Store) -> None:
    bare = StoredModel("bare", ("/b.gguf",), 1)
    store.models.put(MODEL)
    store.models.put(bare)
    assert store.models.get(MODEL.name) == MODEL
    assert store.models.list() == [MODEL, bare]


def test_putting_again_replaces(store: Store) -> None:
    store.models.put(MODEL)
    changed = StoredModel(MODEL.name, ("/elsewhere.gguf",), 5)
    store.models.put(changed)
    assert store.models.list() == [changed]


def test_several_are_put_at_once_or_none(store: Store) -> None:
    broken = StoredModel("broken", ("/b.gguf",), None)  # type: ignore[arg-type]  # what the table refuses
    with pytest.raises(sqlite3.IntegrityError):
        store.models.put_all([MODEL, broken])
    assert store.models.list() == []
    store.models.put_all([MODEL, StoredModel("bare", ("/b.gguf",), 1)])
    assert len(store.models.list()) == 2


def test_deleting_forgets_and_is_harmless_twice(store: Store) -> None:
    store.models.put(MODEL)
    store.speeds.mark_used(MODEL.name)
    store.models.delete(MODEL.name)
    store.models.delete(MODEL.name)
    assert store.speeds.uses() == {}
    assert store.models.get(MODEL.name) is None
