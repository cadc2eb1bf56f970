"""Another program's SQLite file, read without leaving a trace in it or beside it.

A file that has a write-ahead log is copied with it to a temporary folder first: its newest rows are in the
log, and SQLite would write beside the original to read them.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storage.errors import ForeignDatabaseUnreadable

MAX_TEXT_BYTES = 1 << 30
MAGIC = b"SQLite format 3\0"


class ForeignDatabase:
    """An open one.

    Attributes:
        tables: Columns of each table, by its name; views are left out.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        names = [
            row["name"]
            for row in self.rows(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"
            )
        ]
        self.tables: Mapping[str, frozenset[str]] = {
            name: frozenset(row["name"] for row in self.rows("SELECT name FROM pragma_table_info(?)", [name]))
            for name in names
        }

    def has(self, table: str) -> bool:
        """Whether there is this table."""
        return table in self.tables

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """All rows of a query, by name of the column.

        Raises:
            ForeignDatabaseUnreadable: The file is damaged or not what it seemed.
        """
        try:
            cursor = self._connection.execute(sql, parameters)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        except sqlite3.Error as error:
            raise ForeignDatabaseUnreadable(self._path, str(error)) from error


@contextmanager
def foreign_database(path: Path) -> Iterator[ForeignDatabase]:
    """Open one for reading.

    Raises:
        ForeignDatabaseUnreadable: It cannot be read.
    """
    log = path.with_name(path.name + "-wal")
    try:
        if log.exists() and log.stat().st_size:
            with tempfile.TemporaryDirectory(prefix="coterie-import-") as folder:
                copy = Path(folder, "copy.sqlite")
                shutil.copyfile(path, copy)
                shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
                with _opened(copy, path, "mode=rw") as database:
                    yield database
            return
        with _opened(path, path, "mode=ro&immutable=1") as database:
            yield database
    except OSError as error:
        raise ForeignDatabaseUnreadable(path, error.strerror or str(error)) from error


@contextmanager
def _opened(path: Path, shown_path: Path, how: str) -> Iterator[ForeignDatabase]:
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path.resolve()))}?{how}", uri=True, isolation_level=None
        )
    except sqlite3.Error as error:
        raise ForeignDatabaseUnreadable(shown_path, str(error)) from error
    with closing(connection):
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_TEXT_BYTES)
        try:
            for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON"):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            raise ForeignDatabaseUnreadable(shown_path, str(error)) from error
        yield ForeignDatabase(connection, shown_path)
