from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from storage.errors import (
    DatabaseCorrupt,
    DatabaseDiskFull,
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnusable,
)
from storage.faults import faults_of, translated


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("SQLite's own words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, DatabaseLocked),
        (sqlite3.SQLITE_LOCKED, DatabaseLocked),
        (sqlite3.SQLITE_READONLY_DIRECTORY, DatabaseReadOnly),
        (sqlite3.SQLITE_FULL, DatabaseDiskFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, DatabaseDiskFull),
        (sqlite3.SQLITE_IOERR_WRITE, DatabaseUnusable),
        (sqlite3.SQLITE_CORRUPT_VTAB, DatabaseCorrupt),
        (sqlite3.SQLITE_NOTADB, DatabaseCorrupt),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, DatabaseUnusable),
    ],
)
def test_fault_of_the_environment_is_ours(tmp_path: Path, code: int, fault: type[Exception]) -> None:
    path = tmp_path / "coterie.sqlite"
    with pytest.raises(DatabaseUnusable) as caught, faults_of(path):
        raise sqlite_error(code)
    assert type(caught.value) is fault
    assert caught.value.path == path
    assert caught.value.reason == "SQLite's own words"


@pytest.mark.parametrize(
    "code",
    [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_NOMEM],
)
def test_bug_of_ours_stays_what_it_is(tmp_path: Path, code: int) -> None:
    error = sqlite_error(code)
    assert translated(error, tmp_path) is error


def test_error_that_python_itself_raised_stays_what_it_is(tmp_path: Path) -> None:
    error = sqlite3.ProgrammingError("Cannot operate on a closed database.")
    assert translated(error, tmp_path) is error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (PermissionError(errno.EACCES, "no"), DatabaseReadOnly),
        (OSError(errno.EROFS, "no"), DatabaseReadOnly),
        (OSError(errno.ENOSPC, "no"), DatabaseDiskFull),
        (OSError(errno.EDQUOT, "no"), DatabaseDiskFull),
        (OSError(errno.EIO, "no"), DatabaseUnusable),
    ],
)
def test_refusal_of_the_file_system_is_ours(tmp_path: Path, error: OSError, fault: type[Exception]) -> None:
    with pytest.raises(DatabaseUnusable) as caught, faults_of(tmp_path):
        raise error
    assert type(caught.value) is fault
