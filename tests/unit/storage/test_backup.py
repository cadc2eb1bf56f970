from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import DatabaseCorrupt, DatabaseReadOnly, DatabaseUnusable
from storage.store import Store
from tests.helpers.databases import fill, read_sql


def test_backup_of_a_live_database_is_one_complete_private_file(store: Store, tmp_path: Path) -> None:
    fill(store)
    target = tmp_path / "copies" / "mine.sqlite"
    store.back_up(target)
    assert [file.name for file in target.parent.iterdir()] == ["mine.sqlite"]
    assert target.stat().st_mode & 0o077 == 0
    copy = Store(target)
    try:
        assert copy.conversations.list() == store.conversations.list()
        assert copy.conversations.verify() == []
    finally:
        copy.close()


def test_backup_of_a_damaged_database_is_refused(path: Path, store: Store, tmp_path: Path) -> None:
    fill(store)
    store.close()
    page = read_sql(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'parts'")[0][0]
    assert isinstance(page, int)
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    damaged = Store(path)
    try:
        with pytest.raises(DatabaseCorrupt):
            damaged.back_up(tmp_path / "copies" / "copy.sqlite")
        assert list((tmp_path / "copies").iterdir()) == []
    finally:
        damaged.close()


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (PermissionError(13, "no"), DatabaseReadOnly),
        (OSError(30, "no"), DatabaseReadOnly),
        (OSError(5, "no"), DatabaseUnusable),
    ],
)
def test_refusals_of_the_file_system_are_typed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, fault: type[Exception]
) -> None:
    def refuse(_descriptor: int) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("storage.backup.os.fsync", refuse)
        with pytest.raises(fault) as caught:
            store.back_up(tmp_path / "copies" / "copy.sqlite")
    assert type(caught.value) is fault
