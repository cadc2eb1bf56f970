from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import DatabaseDiskFull
from storage.store import Store
from storage.upgrading import TOTAL, is_behind
from tests.helpers.databases import run_sql
from tests.helpers.old_databases import FOLDER, unpack


def test_a_file_is_behind_until_it_was_opened(path: Path) -> None:
    assert not is_behind(path)
    unpack(FOLDER / "schema1.sqlite.gz", path)
    assert is_behind(path)
    Store(path).close()
    assert not is_behind(path)
    path.write_bytes(b"SQLite")
    assert not is_behind(path)


def test_it_tells_how_far_it_is_and_never_goes_back(path: Path) -> None:
    unpack(FOLDER / "schema1.sqlite.gz", path)
    run_sql(
        path,
        """
        WITH RECURSIVE numbers (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000)
        INSERT INTO parts (message_id, position, kind, text) SELECT 9, n, 'text', 'words' FROM numbers;
        INSERT INTO search (search) VALUES ('delete-all');
        """,
    )
    told: list[int] = []

    def note(done: int, total: int) -> None:
        assert total == TOTAL
        told.append(done)

    Store(path, note).close()
    assert told == sorted(told)
    assert len(set(told)) > 10
    assert told[-1] == TOTAL
    told.clear()
    Store(path, note).close()
    assert told == []


def test_a_wish_to_stop_changes_nothing(path: Path) -> None:
    unpack(FOLDER / "schema1.sqlite.gz", path)

    def refuse(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, DatabaseDiskFull)):
        Store(path, refuse)
    assert is_behind(path)
    assert not list((path.parent / "backups").glob("*"))
