"""Tells the environment's faults from our own bugs.

A full disk, a missing permission or a damaged file is not something that a programmer can repair, so it
becomes an error of `storage.errors` and `ui.text` makes a sentence of it. Everything else that SQLite reports
(a syntax error, a broken constraint, a wrong type) is a bug of ours and goes through as the `sqlite3`
exception it is.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import (
    DatabaseCorrupt,
    DatabaseDiskFull,
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnusable,
)

# Source: https://sqlite.org/rescode.html. The lower eight bits of an extended code are its primary code.
_BY_PRIMARY_CODE: dict[int, type[DatabaseUnusable]] = {
    sqlite3.SQLITE_BUSY: DatabaseLocked,
    sqlite3.SQLITE_LOCKED: DatabaseLocked,
    sqlite3.SQLITE_PROTOCOL: DatabaseLocked,
    sqlite3.SQLITE_READONLY: DatabaseReadOnly,
    sqlite3.SQLITE_PERM: DatabaseReadOnly,
    sqlite3.SQLITE_FULL: DatabaseDiskFull,
    sqlite3.SQLITE_CORRUPT: DatabaseCorrupt,
    sqlite3.SQLITE_NOTADB: DatabaseCorrupt,
    sqlite3.SQLITE_IOERR: DatabaseUnusable,
    sqlite3.SQLITE_CANTOPEN: DatabaseUnusable,
    sqlite3.SQLITE_NOLFS: DatabaseUnusable,
}
# Damage that comes without a code of its own: Python's words for a text whose bytes have changed (nothing but
# UTF-8 is ever stored), and those of FTS5 for its own tables.
_DAMAGED = ("Could not decode to UTF-8", "invalid fts5 file format", "vtable constructor failed")
# The shared-memory file of the write-ahead log could not be grown: there is no room for its 32 KiB.
_NO_ROOM_FOR_SHM = sqlite3.SQLITE_IOERR_SHMSIZE


def translated(error: sqlite3.Error, path: Path) -> Exception:
    """What to raise for an error of SQLite: one of ours for a fault of the environment, else itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)  # absent when Python itself raised it
    if any(words in str(error) for words in _DAMAGED):
        return DatabaseCorrupt(path, str(error))
    if code is None:
        return error
    if code == _NO_ROOM_FOR_SHM:
        return DatabaseDiskFull(path, str(error))
    fault = _BY_PRIMARY_CODE.get(code & 0xFF)
    if fault is None:
        return error
    if fault is DatabaseUnusable and not _is_writable(path):
        fault = DatabaseReadOnly
    return fault(path, str(error))


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Run a block and translate what SQLite or the file system raises in it."""
    try:
        yield
    except sqlite3.Error as error:
        fault = translated(error, path)
        if fault is error:
            raise
        raise fault from error
    except UnicodeDecodeError as error:
        # SQLite quotes damaged bytes in what it says, and Python cannot read them.
        raise DatabaseCorrupt(path, str(error)) from error
    except PermissionError as error:
        raise DatabaseReadOnly(path, str(error)) from error
    except OSError as error:
        raise _of_file_system(error, path) from error


def _of_file_system(error: OSError, path: Path) -> DatabaseUnusable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DatabaseDiskFull(path, str(error))
    if error.errno == errno.EROFS:
        return DatabaseReadOnly(path, str(error))
    return DatabaseUnusable(path, str(error))


def _is_writable(path: Path) -> bool:
    """SQLite says only "unable to open": its folder must be writable too, for the write-ahead log."""
    folder_is_writable = os.access(path.parent, os.W_OK | os.X_OK)
    return folder_is_writable and (not path.exists() or os.access(path, os.W_OK))
