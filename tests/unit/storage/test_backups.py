from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.backups import Backups
from storage.errors import BackupUnusable, DatabaseTooNew
from storage.migrations import known_steps
from storage.store import Store
from tests.helpers.databases import fill, read_sql, run_sql, text


def name_made_at(backups: Backups, kind: str, moment: datetime) -> Path:
    return backups.folder / f"coterie-{kind}{moment.strftime('%Y%m%dT%H%M%S%fZ')}.sqlite"


def test_backup_is_made_beside_a_store_that_is_open(path: Path, store: Store) -> None:
    fill(store)
    backups = Backups(path)
    assert backups.list() == []
    made = backups.create()
    (file,) = backups.list()
    assert (file.path, file.kind, file.size_bytes) == (made, "hand", made.stat().st_size)
    assert abs(file.made_at - datetime.now(UTC)) < timedelta(minutes=1)
    content = backups.verify(made)
    assert (content.version, content.n_conversations) == (len(known_steps()), 4)
    assert content.n_messages == 10
    assert content.newest_at is not None
    assert [other.name for other in backups.folder.iterdir()] == [made.name]


def test_backup_goes_where_it_is_wanted_and_replaces_nothing(
    path: Path, store: Store, tmp_path: Path
) -> None:
    fill(store)
    target = tmp_path / "stick" / "mine.sqlite"
    assert Backups(path).create(target=target) == target
    before = target.read_bytes()
    with pytest.raises(FileExistsError):
        Backups(path).create(target=target)
    assert target.read_bytes() == before
    assert Backups(path).list() == []


def test_copy_takes_the_place_of_a_file_only_when_that_is_wanted_and_never_of_the_database(
    path: Path, store: Store, tmp_path: Path
) -> None:
    fill(store)
    target = tmp_path / "mine.sqlite"
    target.write_bytes(b"old")
    assert Backups(path).create(target=target, overwrite=True) == target
    assert Backups(path).verify(target).n_messages == 10
    for name in (path, tmp_path / "link.sqlite"):
        if name != path:
            name.symlink_to(path)
        with pytest.raises(FileExistsError):
            Backups(path).create(target=name, overwrite=True)
    assert store.conversations.verify() == []


def test_backups_of_the_folder_are_removed_and_nothing_else(path: Path, store: Store) -> None:
    fill(store)
    backups = Backups(path)
    first, second = backups.create(), backups.create()
    stranger = backups.folder / "holiday.sqlite"
    stranger.write_bytes(b"")
    for unknown in (stranger, path, backups.folder / ".." / path.name):
        with pytest.raises(FileNotFoundError):
            backups.remove([first, unknown])
    assert first.exists()
    backups.remove([first])
    assert [file.path for file in backups.list()] == [second]
    assert stranger.exists()
    assert path.exists()


def test_schedule_makes_one_when_it_is_due_and_keeps_the_newest(path: Path, store: Store) -> None:
    fill(store)
    backups = Backups(path)
    now = datetime.now(UTC)
    assert backups.create_if_due(0, 3) is None
    first = backups.create_if_due(7, 3)
    assert first is not None
    assert backups.create_if_due(7, 3) is None
    by_hand = backups.create()
    for days in (8, 20, 30, 40):
        shutil.copy(first, name_made_at(backups, "auto-", now - timedelta(days=days)))
    before_migration = name_made_at(backups, "schema3-", now - timedelta(days=99))
    shutil.copy(first, before_migration)
    (backups.folder / "coterie-notes.sqlite").write_text("theirs")
    first.unlink()
    newest = backups.create_if_due(7, 3)
    assert newest is not None
    kinds = [file.kind for file in backups.list()]
    assert kinds.count("auto") == 3
    assert by_hand.exists()
    assert before_migration.exists()
    assert (backups.folder / "coterie-notes.sqlite").exists()


def test_clock_that_was_put_back_does_not_stop_the_schedule(path: Path, store: Store) -> None:
    fill(store)
    backups = Backups(path)
    made = backups.create_if_due(7, 3)
    assert made is not None
    made.rename(name_made_at(backups, "auto-", datetime.now(UTC) + timedelta(days=900)))
    assert backups.create_if_due(7, 3) is not None


def test_restored_backup_stands_in_the_place_and_the_old_one_is_kept(path: Path, store: Store) -> None:
    fill(store)
    backups = Backups(path)
    made = backups.create()
    store.conversations.create(title="Later")
    store.close()
    replaced = backups.restore(made)
    assert replaced is not None
    assert sorted(file.name for file in path.parent.glob("coterie.sqlite*")) == ["coterie.sqlite"]
    assert made.exists()
    again = Store(path)
    try:
        assert "Later" not in [c.title for c in again.conversations.list()]
        assert again.conversations.verify() == []
    finally:
        again.close()
    assert ("Later",) in read_sql(replaced, "SELECT title FROM conversations")
    assert [file.kind for file in backups.list()] == ["replaced", "hand"]
    assert path.stat().st_mode & 0o077 == 0


def test_damaged_database_with_its_log_makes_room_for_a_backup(
    path: Path, store: Store, tmp_path: Path
) -> None:
    fill(store)
    made = Backups(path).create(target=tmp_path / "kept.sqlite")
    store.conversations.create(title="In the log")
    crashed = tmp_path / "crashed" / path.name
    crashed.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(path.with_name(path.name + suffix), crashed.with_name(crashed.name + suffix))
    with crashed.open("r+b") as file:
        file.write(b"\xff" * 4096)
    replaced = Backups(crashed).restore(made)
    assert replaced is not None
    assert replaced.with_name(replaced.name + "-wal").stat().st_size > 0
    again = Store(crashed)
    try:
        assert again.conversations.verify() == []
        assert [c.title for c in again.conversations.list()] == ["Mixtures", "Flags"]
    finally:
        again.close()


def test_restoring_completes_what_a_crash_left(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    backups = Backups(path)
    made = backups.create()
    store.close()
    rename = os.rename
    n_renamed = 0

    def crash_at_the_last(source: Path, target: Path) -> None:
        nonlocal n_renamed
        n_renamed += 1
        if n_renamed == 2:  # the old database's, and then the new one's
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", crash_at_the_last)
        with pytest.raises(KeyboardInterrupt):
            backups.restore(made)
    assert not path.exists()
    assert backups.restore(made) is None
    again = Store(path)
    try:
        assert again.conversations.verify() == []
    finally:
        again.close()


@pytest.mark.parametrize("damage", ["absent", "empty", "text", "page", "foreign", "newer", "orphans"])
def test_backup_that_is_no_good_changes_nothing(
    path: Path, store: Store, tmp_path: Path, damage: str
) -> None:
    fill(store)
    made = Backups(path).create(target=tmp_path / "b.sqlite")
    store.close()
    before = path.read_bytes()
    if damage == "absent":
        made.unlink()
    elif damage in ("empty", "text"):
        made.write_text("" if damage == "empty" else "not a database " * 100)
    elif damage == "page":
        (page,) = read_sql(made, "SELECT rootpage FROM sqlite_schema WHERE name = 'parts'")[0]
        assert isinstance(page, int)
        with made.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)
    elif damage == "foreign":
        run_sql(made, "PRAGMA application_id=7")
    elif damage == "newer":
        run_sql(made, "PRAGMA user_version=99")
    else:
        run_sql(made, "DELETE FROM messages WHERE id = 1")
    expected = {"absent": FileNotFoundError, "newer": DatabaseTooNew}.get(damage, BackupUnusable)
    for action in (Backups(path).verify, Backups(path).restore):
        with pytest.raises(expected):
            action(made)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.glob("coterie*")] == ["coterie.sqlite"]


def test_backups_that_hold_a_conversation_are_named(path: Path, store: Store) -> None:
    fill(store)
    backups = Backups(path)
    backups.create()
    later = store.conversations.create(title="Later")
    store.conversations.append(later.id, None, "user", text("x"))
    second = backups.create()
    store.trash.delete(later.id)
    third = backups.create()
    (backups.folder / third.name).write_text("damaged")
    assert backups.holding(later.id, later.created_at) == (second,)
    assert store.upkeep.backups_with([later]) == [second.name]
