"""`verify` must see what it claims to see: each kind of damage is planted behind the store's back."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.records import StoredModel
from storage.store import Store
from tests.helpers.databases import fill, run_sql


def test_good_database_has_no_problems(store: Store) -> None:
    assert store.conversations.verify() == []
    fill(store)
    assert store.conversations.verify() == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE messages SET conversation_id = 2 WHERE id = 2", "parent in another conversation"),
        ("UPDATE messages SET parent_id = 4 WHERE id = 7", "parent in another conversation"),
        ("DELETE FROM messages WHERE id = 1", "refers to a row of messages that is not there"),
        ("UPDATE conversations SET head_id = 7 WHERE id = 1", "shows a message that it does not have"),
        ("UPDATE conversations SET head_id = NULL WHERE id = 1", "has messages and shows none"),
        ("UPDATE conversations SET head_id = 1 WHERE id = 1", "which has one below it"),
        ("UPDATE parts SET position = 5 WHERE message_id = 2 AND position = 1", "gap in its parts"),
        (
            "INSERT INTO chunks (message_id, position, kind, text) VALUES (2, 0, 'text', 'x')",
            "still has chunks",
        ),
        ("UPDATE messages SET status = 'streaming' WHERE id = 2", "has parts already"),
        ("UPDATE messages SET status = 'streaming', role = 'user' WHERE id = 6", "not an answer"),
        ("DELETE FROM parts WHERE message_id = 1", "gone but still in the search index"),
        (
            "INSERT INTO search (search, rowid, text)"
            " SELECT 'delete', id, text FROM parts WHERE message_id = 1",
            "missing from the search index",
        ),
        ("UPDATE parts SET text = 'changed' WHERE message_id = 1", "indexed with other words"),
        ("UPDATE messages SET created_at = 'yesterday' WHERE id = 1", "a date of message 1"),
        ("UPDATE generations SET parameters = '{' WHERE message_id = 2", "generation 2 holds JSON"),
        ("UPDATE settings SET value = 'dark'", "setting theme holds JSON"),
    ],
)
def test_damage_is_found(path: Path, store: Store, damage: str, words: str) -> None:
    fill(store)
    store.close()
    run_sql(path, damage)
    again = Store(path)
    try:
        found = again.conversations.verify()
    finally:
        again.close()
    assert any(words in problem for problem in found), found


def test_chunks_of_two_kinds_in_one_part_are_found(path: Path, store: Store) -> None:
    fill(store)
    store.close()
    run_sql(
        path,
        """
        INSERT INTO chunks (message_id, position, kind, text) VALUES (2, 0, 'text', 'x');
        INSERT INTO chunks (message_id, position, kind, text) VALUES (2, 0, 'reasoning', 'x');
        """,
    )
    again = Store(path)
    try:
        assert any("two kinds" in problem for problem in again.conversations.verify())
    finally:
        again.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE settings SET value = 'dark'", "settings: value"),
        ("UPDATE models SET info = '{', looks = '['", "models: info"),
        ("UPDATE generations SET parameters = '{', load_plan = '['", "generations: load_plan"),
        ("UPDATE conversations SET sampling = '{' WHERE id = 1", "conversations: sampling"),
        ("UPDATE conversations SET head_id = NULL WHERE id = 1", "showed no message"),
        ("UPDATE conversations SET head_id = 7 WHERE id = 1", "showed no message"),
        ("INSERT INTO ratings VALUES (1, 1, '2026-01-02T03:04:05.678Z')", "ratings"),
        ("INSERT INTO blobs (sha256, data) VALUES ('e3', x'00')", "data of images"),
        ("INSERT INTO chunks (message_id, position, kind, text) VALUES (2, 0, 'text', 'x')", "pieces"),
        ("DELETE FROM vectors; DELETE FROM passages", "words of documents"),
    ],
)
def test_what_has_one_right_answer_is_put_right(path: Path, store: Store, damage: str, words: str) -> None:
    fill(store)
    store.close()
    run_sql(path, damage)
    again = Store(path)
    try:
        assert again.conversations.verify()
        assert any(words in what for what in again.conversations.repair())
        assert again.conversations.verify() == []
        assert again.conversations.repair() == []
    finally:
        again.close()


def test_what_cannot_be_read_of_one_model_or_download_hides_no_other(path: Path, store: Store) -> None:
    fill(store)
    store.models.put(StoredModel("second", ("/models/second.gguf",), 5, tags=("small",)))
    store.models.put(StoredModel("third", ("/models/third.gguf",), 6))
    for name in ("one", "two"):
        store.downloads.add(name, name, {"files": []})
    store.close()
    run_sql(
        path,
        "UPDATE models SET info = '{', tags = 'x', looks = '7', moving = '[' WHERE name = 'second';"
        "UPDATE models SET paths = '[' WHERE name = 'third';"
        "UPDATE downloads SET plan = '{' WHERE ref = 'one';",
    )
    again = Store(path)
    try:
        found = {model.name: model for model in again.models.list()}
        assert set(found) == {"starter", "second"}
        assert (found["second"].paths, found["second"].tags) == (("/models/second.gguf",), ())
        assert again.models.get("third") is None
        assert [download.ref for download in again.downloads.list()] == ["owner/repo:Q4_K_M", "two"]
        told = again.conversations.verify()
        assert len(told) == 5
        assert len(again.conversations.repair()) == 5
        assert again.conversations.verify() == []
    finally:
        again.close()
