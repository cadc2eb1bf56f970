"""Opening: what is made, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from storage.database import Database, storable
from storage.errors import (
    DatabaseCorrupt,
    DatabaseDiskFull,
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseTooNew,
    DatabaseUnusable,
)
from storage.migrations import APPLICATION_ID, known_steps
from storage.store import Store
from tests.helpers.databases import GENERATION, fill, read_sql, run_sql, text


def pragma(database: Database, name: str) -> object:
    return database.query(f"PRAGMA {name}")[0][0]


def test_new_file_is_ours_private_and_careful(path: Path) -> None:
    database = Database(path)
    try:
        assert pragma(database, "application_id") == APPLICATION_ID
        assert pragma(database, "user_version") == len(known_steps())
        assert pragma(database, "journal_mode") == "wal"
        assert pragma(database, "foreign_keys") == 1
        assert pragma(database, "trusted_schema") == 0
        assert pragma(database, "synchronous") == 2
        assert pragma(database, "secure_delete") == 1
        assert pragma(database, "busy_timeout") == 5000
        for file in path.parent.glob("coterie.sqlite*"):
            assert file.stat().st_mode & 0o077 == 0, file
        assert not (path.parent / "backups").exists()
    finally:
        database.close()


def test_folder_is_made(tmp_path: Path) -> None:
    Store(tmp_path / "a" / "b" / "coterie.sqlite").close()
    assert (tmp_path / "a" / "b" / "coterie.sqlite").exists()


def test_closing_leaves_one_file(path: Path, store: Store) -> None:
    fill(store)
    store.close()
    store.close()
    assert [file.name for file in path.parent.glob("coterie*")] == ["coterie.sqlite"]


def test_durable_blocks_are_synchronized_fully_and_flushes_are_not(path: Path) -> None:
    database = Database(path)
    try:
        with database.transaction(durable=False):
            assert pragma(database, "synchronous") == 1
        with database.transaction():
            assert pragma(database, "synchronous") == 2
    finally:
        database.close()


def test_failed_block_leaves_nothing(path: Path) -> None:
    database = Database(path)
    try:
        with contextlib.suppress(ZeroDivisionError), database.transaction():
            database.execute("INSERT INTO settings VALUES ('theme', '1')")
            raise ZeroDivisionError
        assert database.query("SELECT * FROM settings") == []
        with database.transaction():
            database.execute("INSERT INTO settings VALUES ('theme', '2')")
        assert len(database.query("SELECT * FROM settings")) == 1
    finally:
        database.close()


def test_bugs_of_ours_go_through(path: Path) -> None:
    database = Database(path)
    try:
        with pytest.raises(sqlite3.OperationalError):
            database.query("SELEC 1")
        with pytest.raises(sqlite3.IntegrityError), database.transaction():
            database.execute("INSERT INTO parts (message_id, position, kind, text) VALUES (1, 0, 'text', '')")
    finally:
        database.close()


def test_store_belongs_to_its_thread(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(sqlite3.ProgrammingError):
        pool.submit(store.conversations.list).result()


def test_newer_database_is_refused_and_untouched(path: Path) -> None:
    Store(path).close()
    run_sql(path, f"PRAGMA user_version={len(known_steps()) + 3}")
    before = path.read_bytes()
    with pytest.raises(DatabaseTooNew) as refusal:
        Store(path)
    assert refusal.value.found_version == len(known_steps()) + 3
    assert refusal.value.known_version == len(known_steps())
    assert path.read_bytes() == before


def test_unknown_step_is_too_new_even_with_a_known_version(path: Path) -> None:
    Store(path).close()
    run_sql(
        path,
        "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('coterie', 'm900_later')",
    )
    with pytest.raises(DatabaseTooNew):
        Store(path)


@pytest.mark.parametrize("content", [b"x", b"not a database " * 500, b"SQLite format 3\x00" + b"\xff" * 9000])
def test_file_that_is_no_database_is_refused_and_untouched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DatabaseCorrupt):
        Store(path)
    assert path.read_bytes() == content


def test_database_of_another_program_is_refused_and_untouched(path: Path) -> None:
    run_sql(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(DatabaseCorrupt):
        Store(path)
    assert path.read_bytes() == before


def test_log_whose_database_was_taken_away_is_kept_and_not_believed(path: Path, store: Store) -> None:
    """SQLite would write what is in it into the new file."""
    fill(store)
    log = path.with_name(path.name + "-wal")
    content = log.read_bytes()
    store.close()
    path.unlink()
    log.write_bytes(content)
    again = Store(path)
    try:
        assert again.conversations.list() == []
        assert again.conversations.verify() == []
    finally:
        again.close()
    (kept,) = path.parent.glob("coterie.sqlite-wal.stray-*")
    assert kept.read_bytes() == content


def test_empty_file_is_a_new_database(path: Path) -> None:
    path.touch()
    Store(path).close()
    assert read_sql(path, "PRAGMA application_id") == [(APPLICATION_ID,)]


def test_damaged_page_is_a_typed_error(path: Path, store: Store) -> None:
    fill(store)
    store.close()
    page = read_sql(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'messages'")[0][0]
    assert isinstance(page, int)
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    damaged = Store(path)
    try:
        with pytest.raises(DatabaseCorrupt):
            damaged.conversations.message(1)
        assert damaged.conversations.verify()
    finally:
        damaged.close()


def test_text_whose_bytes_have_changed_is_a_typed_error(path: Path, store: Store) -> None:
    fill(store)
    store.close()
    run_sql(path, "UPDATE parts SET text = CAST(x'ff41' AS TEXT) WHERE message_id = 1")
    damaged = Store(path)
    try:
        with pytest.raises(DatabaseCorrupt):
            damaged.conversations.message(1)
        assert damaged.conversations.verify()
    finally:
        damaged.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE messages SET created_at = 'yesterday' WHERE id = 1",
        "UPDATE messages SET conversation_id = 2 WHERE id = 1",
        "PRAGMA ignore_check_constraints=ON; UPDATE messages SET parent_id = 2 WHERE id = 1",
        "UPDATE search_config SET v = 0",
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'unicode61', 'unicode62')"
        " WHERE name = 'search'",
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'tokenize', 'tokenise')"
        " WHERE name = 'search_files'",
        "UPDATE conversations SET updated_at = '' WHERE id = 1",
        "UPDATE conversations SET sampling = '{' WHERE id = 1",
        "UPDATE generations SET parameters = 'x'",
        "UPDATE generations SET load_plan = '['",
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'decode_tok', 'decode_tik')"
        " WHERE name = 'generations'",
        "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = CAST(replace(sql, 'kind', x'ff') AS TEXT)"
        " WHERE name = 'parts'",
    ],
)
def test_value_or_schema_that_has_changed_is_a_typed_error(path: Path, store: Store, damage: str) -> None:
    fill(store)
    store.close()
    run_sql(path, damage)

    def read() -> None:
        damaged = Store(path)
        try:
            for conversation in damaged.conversations.list():
                damaged.conversations.path(conversation.id)
            damaged.search.find("mixture")
        finally:
            damaged.close()

    with pytest.raises(DatabaseCorrupt):
        read()


def test_damage_is_looked_for_after_a_crash(path: Path, store: Store, tmp_path: Path) -> None:
    fill(store)
    store.close()
    again = Store(path)
    again.settings.set("theme", "light")
    crashed = tmp_path / "crashed" / "coterie.sqlite"
    crashed.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(path.with_name(path.name + suffix), crashed.with_name(crashed.name + suffix))
    again.close()
    with crashed.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 4096)
    with pytest.raises(DatabaseCorrupt):
        Store(crashed)


def test_other_program_that_holds_the_file_is_a_typed_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(path).close()
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseLocked):
            Store(path)


def test_folder_in_place_of_the_file(path: Path) -> None:
    path.mkdir()
    with pytest.raises(DatabaseUnusable):
        Store(path)


def test_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DatabaseUnusable):
        Store(tmp_path / "data" / "coterie.sqlite")


def test_file_that_became_read_only(store: Store) -> None:
    store._database.query("PRAGMA query_only=ON")
    with pytest.raises(DatabaseReadOnly):
        store.settings.set("theme", "dark")


def _writes(store: Store) -> list[Callable[[], object]]:
    conversations = store.conversations
    conversation = conversations.create()
    question = conversations.append(conversation.id, None, "user", text("question"))
    answer = conversations.start_answer(conversation.id, question.id, GENERATION)
    much = text("much " * 40_000)
    return [
        lambda: conversations.append(conversation.id, question.id, "user", much),
        lambda: conversations.flush_answer(answer.id, much),
        lambda: conversations.finish_answer(answer.id, much, GENERATION),
        lambda: store.settings.set("sampling_defaults", {"x": "y" * 200_000}),
    ]


@pytest.mark.parametrize("write", range(4))
def test_full_disk_keeps_what_was_acknowledged(store: Store, write: int) -> None:
    """`max_page_count` makes SQLite report the very error of a full disk, in the middle of a write."""
    conversations = store.conversations
    action = _writes(store)[write]
    conversations.flush_answer(2, text("flushed"))
    before = conversations.path(1)
    n_pages = store._database.query("PRAGMA page_count")[0][0]
    store._database.query(f"PRAGMA max_page_count={n_pages + 2}")
    for _ in range(2):
        with pytest.raises(DatabaseDiskFull):
            action()
        assert conversations.path(1) == before
        assert conversations.verify() == []
    store._database.query("PRAGMA max_page_count=1000000")
    action()
    assert conversations.verify() == []


def test_text_that_utf_8_cannot_hold_is_repaired(store: Store) -> None:
    message = store.conversations.append(
        store.conversations.create(title="\ud800").id, None, "user", text("a\ud83d\ude00b\udc00 专\udfff家")
    )
    assert message.text == "a😀b\ufffd 专\ufffd家"
    assert store.conversations.list()[0].title == "\ufffd"
    assert store.conversations.verify() == []
    assert storable("plain") == "plain"
