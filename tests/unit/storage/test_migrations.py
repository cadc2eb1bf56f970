"""Every schema in the field must reach today's, with its rows, and with a way back.

For a new step: `plant(path, stop_before="m00N_...")`, rows as the old program wrote them, open, check.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlite_utils

from storage.errors import DatabaseCorrupt, DatabaseDiskFull, DatabaseTooNew
from storage.migrations import known_steps, migrations
from storage.records import Filter, StoredModel
from storage.store import Store
from tests.helpers.databases import read_sql, run_sql, text
from tests.helpers.old_databases import FOLDER, plant, unpack

RELEASES = sorted(FOLDER.glob("*.sqlite"))


CONVERSATION = """
    INSERT INTO conversations (id, title, title_is_automatic, created_at, updated_at, model_name,
        system_prompt, sampling, head_id) VALUES
        (5, 'Old', 0, '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z', NULL, '', '{}', NULL);
    INSERT INTO messages VALUES (9, 5, NULL, 'user', 'complete', '2026-01-02T03:04:05.678Z');
    INSERT INTO parts (id, message_id, position, kind, text) VALUES (3, 9, 0, 'text', 'planted words');
    INSERT INTO search (rowid, text) VALUES (3, 'planted words');
    UPDATE conversations SET head_id = 9;
"""


@pytest.fixture
def failing_step(monkeypatch: pytest.MonkeyPatch) -> str:
    """A program of tomorrow whose next step writes and then fails."""

    def m900_fails(db: sqlite_utils.Database) -> None:
        db.execute("CREATE TABLE half_way (x)")
        db.execute("DELETE FROM messages")
        raise ZeroDivisionError

    monkeypatch.setattr(migrations, "_migrations", list(migrations._migrations))
    migrations()(m900_fails)
    return "m900_fails"


def test_names_are_numbered_in_order() -> None:
    for number, name in enumerate(known_steps(), start=1):
        assert name.startswith(f"m{number:03}_"), name


def test_steps_are_self_contained() -> None:
    """A step that used today's code would change with it."""
    import storage.steps

    for path in Path(storage.steps.__file__).parent.glob("from_*.py"):
        imports = [line for line in path.read_text().splitlines() if " storage" in line and "import" in line]
        assert imports == ["from storage.steps.registry import migrations"]


def test_conversations_before_settings_were_kept(path: Path) -> None:
    plant(path, stop_before="m002_create_settings")
    run_sql(path, CONVERSATION)
    store = Store(path)
    try:
        assert store.conversations.path(5)[0].text == "planted words"
        assert [hit.message_id for hit in store.search.find("planted")] == [9]
        assert store.settings.get("theme") == "system"
        assert store.conversations.verify() == []
        # Ids go on after the old ones.
        assert store.conversations.append(5, 9, "assistant", text("new")).id > 9
    finally:
        store.close()


def test_settings_before_models_were_kept(path: Path) -> None:
    plant(path, stop_before="m003_create_models")
    run_sql(path, "INSERT INTO settings VALUES ('theme', '\"dark\"')")
    store = Store(path)
    try:
        assert store.settings.get("theme") == "dark"
        assert store.models.list() == []
        assert store.downloads.list() == []
    finally:
        store.close()


def test_conversations_before_traces_were_kept(path: Path) -> None:
    plant(path, stop_before="m004_create_traces")
    run_sql(path, CONVERSATION)
    store = Store(path)
    try:
        answer = store.conversations.append(5, 9, "assistant", text("new"))
        assert store.traces.kinds(answer.id) == set()
        store.traces.put(answer.id, {"answer_tokens": np.array([3, 1])})
        assert store.traces.kinds(answer.id) == {"answer_tokens"}
        assert store.conversations.verify() == []
    finally:
        store.close()


def test_models_before_their_states_were_kept(path: Path) -> None:
    plant(path, stop_before="m011_keep_models")
    run_sql(
        path,
        "INSERT INTO models VALUES"
        " ('m', '[\"/m.gguf\"]', 5, '[\"ab\"]', 'hub:a/b', 1, NULL, '{}', '2026-01-02T03:04:05.678Z')",
    )
    store = Store(path)
    try:
        assert store.models.list() == [StoredModel("m", ("/m.gguf",), 5, ("ab",), "hub:a/b", True)]
        store.speeds.mark_used("m")
        assert store.conversations.verify() == []
    finally:
        store.close()


def test_downloads_before_they_had_an_order(path: Path) -> None:
    plant(path, stop_before="m012_order_downloads")
    for download_id in (7, 3):
        run_sql(
            path,
            f"INSERT INTO downloads VALUES ({download_id}, 'o/r{download_id}', 'r', 'paused', '{{}}', NULL,"
            " '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z')",
        )
    store = Store(path)
    try:
        assert [row.id for row in store.downloads.list()] == [3, 7]
        store.downloads.reorder([7, 3])
        assert [row.id for row in store.downloads.list()] == [7, 3]
    finally:
        store.close()


def test_backup_precedes_a_migration_and_opens(path: Path) -> None:
    plant(path, stop_before="m003_create_models")
    run_sql(path, CONVERSATION)
    store = Store(path)
    store.close()
    assert store.backup_path is not None
    assert list((path.parent / "backups").iterdir()) == [store.backup_path]
    assert store.backup_path.name.startswith("coterie-schema2-")
    assert read_sql(store.backup_path, "PRAGMA user_version") == [(2,)]
    assert read_sql(store.backup_path, "SELECT text FROM parts") == [("planted words",)]
    assert read_sql(store.backup_path, "SELECT name FROM sqlite_schema WHERE name = 'models'") == []
    restored = Store(store.backup_path)
    restored.close()
    assert read_sql(store.backup_path, "PRAGMA user_version") == [(len(known_steps()),)]


def test_backup_holds_what_is_still_in_the_log(path: Path) -> None:
    plant(path, stop_before="m003_create_models")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("INSERT INTO settings VALUES ('theme', '\"in the log\"')")
        store = Store(path)
        store.close()
    assert store.backup_path is not None
    assert read_sql(store.backup_path, "SELECT value FROM settings") == [('"in the log"',)]


def test_no_backup_without_a_migration(path: Path) -> None:
    Store(path).close()
    store = Store(path)
    store.close()
    assert store.backup_path is None
    assert not (path.parent / "backups").exists()


def test_failed_migration_changes_nothing(path: Path, failing_step: str) -> None:
    plant(path, stop_before=failing_step)
    run_sql(path, CONVERSATION)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            Store(path)
        assert read_sql(path, "PRAGMA user_version") == [(len(known_steps()) - 1,)]
        assert read_sql(path, "SELECT text FROM parts JOIN messages ON messages.id = message_id") == [
            ("planted words",)
        ]
        assert read_sql(path, "SELECT name FROM sqlite_schema WHERE name = 'half_way'") == []
    assert len(list((path.parent / "backups").glob("*.sqlite"))) == 2


def test_migration_without_room_for_the_backup_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(path, stop_before="m003_create_models")
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("storage.backup.os.fsync", full)
        with pytest.raises(DatabaseDiskFull):
            Store(path)
    assert list((path.parent / "backups").iterdir()) == []
    assert read_sql(path, "PRAGMA user_version") == [(2,)]
    assert path.read_bytes()[4096:] == before[4096:]


def test_damaged_database_is_not_migrated(path: Path) -> None:
    plant(path, stop_before="m003_create_models")
    run_sql(path, CONVERSATION)
    page = read_sql(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'parts'")[0][0]
    assert isinstance(page, int)
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(DatabaseCorrupt):
        Store(path)
    assert read_sql(path, "PRAGMA user_version") == [(2,)]


def test_step_of_a_later_version_is_too_new_for_this_one(
    path: Path, failing_step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(path, stop_before=failing_step)
    run_sql(
        path, f"INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('coterie', '{failing_step}')"
    )
    Store(path).close()
    monkeypatch.undo()
    with pytest.raises(DatabaseTooNew):
        Store(path)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.stem)
def test_database_of_every_release_opens(release: Path, path: Path) -> None:
    path.write_bytes(release.read_bytes())
    store = Store(path)
    try:
        assert store.conversations.verify() == []
        titles = {conversation.title for conversation in store.conversations.list()}
        assert {"Mixtures", "Flags"} <= titles
        assert store.search.find("专家", Filter(part="reasoning"))
        assert store.settings.get("theme") == "dark"
        assert store.models.get("starter") is not None
    finally:
        store.close()


@pytest.mark.parametrize("version", range(1, len(known_steps()) + 1))
def test_stored_database_of_every_schema_opens_with_its_rows(version: int, path: Path) -> None:
    unpack(FOLDER / f"schema{version}.sqlite.gz", path)
    assert read_sql(path, "PRAGMA user_version") == [(version,)]
    store = Store(path)
    try:
        assert store.conversations.verify() == []
        (conversation,) = store.conversations.list()
        assert (conversation.title, conversation.system_prompt) == ("Mixtures", "Be brief.")
        question, answer = store.conversations.path(conversation.id)
        assert (question.text, answer.reasoning) == ("What is a mixture of experts?", "混合专家")
        assert answer.sibling_ids == (10, 12)
        generation = answer.generation
        assert generation is not None
        assert (generation.parameters["seed"], generation.think_budget_tokens) == (7, 64)
        hits = store.search.find("专家", Filter(part="reasoning"))
        assert [hit.message_id for hit in hits] == [10]
        assert [hit.part for hit in store.search.find("mixtures")] == ["title"]
        if version >= 2:
            assert store.settings.get("theme") == "dark"
        if version >= 3:
            assert store.models.get("starter") is not None
            assert [download.status for download in store.downloads.list()] == ["paused"]
        if version >= 4:
            tokens = store.traces.get(10, "answer_tokens")
            assert tokens is not None
            assert tokens.tolist() == [3, 1, 4]
        if version >= 5:
            images = store.parts.attachments([9, 13])
            assert [image.data for image in images[9]] == [b"\x89PNG", b"\x89PNH"]
            assert images[13] == images[9][:1]
            assert store._database.query("SELECT count(*) FROM blobs")[0][0] == 2
            assert [hit.part for hit in store.search.find("square")] == ["file", "file"]
        if version >= 6:
            assert (conversation.folder, conversation.tags, answer.rating) == ("Work/Models", ("moe",), 1)
            assert store.prompts.get("brief").text == "Be brief."
        if version >= 7:
            assert (generation.load_plan, generation.thinking_ended_by) == ({"n_ctx_tokens": 4096}, "model")
        if version >= 16:
            assert [part.kind for part in answer.parts] == ["reasoning", "text", "tool_call", "tool_result"]
            assert [hit.part for hit in store.search.find("web_search")] == ["tool_call"]
        if version >= 17:
            assert generation.effort == "low"
    finally:
        store.close()
