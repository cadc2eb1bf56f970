"""Opens the one SQLite file and is the only door to it.

On disk:

    coterie.sqlite            the database
    coterie.sqlite-wal, -shm  SQLite's write-ahead log while it is open, and after a crash; part of it
    backups/                  see `storage.backups`

Every statement goes through `Database`, so that every fault of the environment becomes an error of
`storage.errors` in one place.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlite_utils

from storage.backup import back_up, sync_folder
from storage.errors import DatabaseCorrupt, DatabaseLocked, DatabaseTooNew
from storage.faults import faults_of
from storage.migrations import APPLICATION_ID, known_steps, migrations
from storage.upgrading import Progress, upgrade

log = logging.getLogger(__name__)

Parameters = Sequence[Any] | Mapping[str, Any]

SQLITE_VERSION = sqlite3.sqlite_version
BUSY_TIMEOUT_MS = 5_000
# Steps of SQLite's virtual machine between two signs of progress, and about how many a row takes that is
# written anew, with its indexes.
_PROGRESS_STEPS = 10_000
_STEPS_A_ROW = 16
_SIGNATURE = b"SQLite format 3\0"
# The log is cut back to this after a checkpoint; a long import would leave it large for ever.
_JOURNAL_SIZE_LIMIT_BYTES = 16 * 1024 * 1024
# After a crash the file is looked through before it is used, unless that would delay the window: about 0.3 s
# here.
_QUICK_CHECK_LIMIT_BYTES = 128 * 1024 * 1024


class Database:
    """The open file. Belongs to the thread that made it.

    Attributes:
        path: The database file.
        backup_path: The copy made before this opening migrated the file; None when nothing was migrated.
    """

    def __init__(self, path: Path, on_progress: Progress | None = None) -> None:
        """Open, check and migrate the file, making it where there is none.

        Args:
            path: The file.
            on_progress: Told how far a migration is, on this thread; see `storage.upgrading`.

        Raises:
            DatabaseTooNew: A later version of the program wrote it; nothing was changed.
            DatabaseCorrupt: It is damaged, or not a database of ours; nothing was changed.
            DatabaseReadOnly: It or its folder may not be written.
            DatabaseDiskFull: No room for it, or for the backup before a migration.
            DatabaseLocked: Another program holds it.
            DatabaseUnusable: Anything else that the system refuses.
        """
        self.path = path
        self.backup_path: Path | None = None
        self._synchronous = ""
        with faults_of(path):
            was_unclean = _is_not_empty(path.with_name(path.name + "-wal"))
            if _create_private(path):
                _set_strays_aside(path)
            _require_signature(path)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, cached_statements=256
            )
            try:
                self._open(was_unclean, on_progress)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file; SQLite empties its log into it. Calling it again does nothing."""
        with faults_of(self.path):
            self._connection.close()

    def query(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a statement that reads."""
        with faults_of(self.path):
            return self._run(sql, parameters).fetchall()

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement that writes, inside `transaction`; returns the id of an inserted row."""
        assert self._connection.in_transaction, "writes happen in a transaction"
        with faults_of(self.path):
            return self._run(sql, parameters).lastrowid or 0

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Everything in the block is written, or nothing.

        Args:
            durable: Once the block has ended it survives a loss of power (synchronous=FULL). Otherwise it
                survives the end of the program, and after a loss of power the last such blocks may be
                missing, with the database intact (synchronous=NORMAL).
        """
        with faults_of(self.path):
            self._synchronize("FULL" if durable else "NORMAL")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    @contextmanager
    def sound(self) -> Iterator[None]:
        """Make values of rows in here: where one is not of its form, the file is damaged.

        Raises:
            DatabaseCorrupt: Instead of the ValueError or TypeError, such as that of a date that is none.
        """
        try:
            yield
        except (ValueError, TypeError) as error:
            raise DatabaseCorrupt(self.path, f"a value is not of its form: {error}") from error

    def back_up(self, target: Path) -> None:
        """Write everything committed so far to one file; see `storage.backup`."""
        back_up(self._connection, target)

    def compact(self, on_progress: Callable[[int, int], None]) -> None:
        """Write the file anew without what is empty in it; nobody else may be reading it for long.

        SQLite does it whole or not at all, with twice the file's size in free space meanwhile.

        Args:
            on_progress: Told steps that are done, and about how many there are, on this thread; all of them
                only when it is done. Before that it may raise, which ends it with nothing changed.
        """
        ((n_rows,),) = self.query(
            "SELECT sum(n) FROM (SELECT count(*) AS n FROM messages UNION ALL SELECT count(*) FROM parts"
            " UNION ALL SELECT count(*) FROM generations UNION ALL SELECT count(*) FROM search_data"
            " UNION ALL SELECT count(*) FROM search_docsize UNION ALL SELECT count(*) FROM traces)"
        )
        n_expected = max(1, n_rows * _STEPS_A_ROW // _PROGRESS_STEPS)
        n_done = 0
        failure: list[BaseException] = []

        def step() -> int:
            nonlocal n_done
            n_done += 1
            try:
                on_progress(min(n_done, n_expected - 1), n_expected)
            except BaseException as error:  # noqa: BLE001 : SQLite is in between; raised again below
                failure.append(error)
            return len(failure)

        on_progress(0, n_expected)
        with faults_of(self.path):
            self._connection.set_progress_handler(step, _PROGRESS_STEPS)
            try:
                self._connection.execute("VACUUM")
            except sqlite3.Error:
                if failure:
                    raise failure[0] from None
                raise
            finally:
                self._connection.set_progress_handler(None, 0)
        self.empty_log()
        on_progress(n_expected, n_expected)

    def empty_log(self) -> None:
        """Write everything from the log into the file and cut the log to nothing.

        Raises:
            DatabaseLocked: Another program reads an older state.
        """
        ((is_busy, _n_pages, _n_done),) = self.query("PRAGMA wal_checkpoint(TRUNCATE)")
        if is_busy:
            raise DatabaseLocked(self.path, "the log is being read")

    def load_extension(self, path: str) -> bool:
        """Load a library into SQLite, for this connection alone; False where this Python's cannot."""
        enable = getattr(self._connection, "enable_load_extension", None)
        if enable is None:  # many builds of Python leave it out
            return False
        try:
            enable(True)
            self._connection.load_extension(path)
        except sqlite3.Error as error:
            log.info("SQLite does not load %s: %s", path, error)
            return False
        finally:
            enable(False)
        return True

    def damage(self) -> list[str]:
        """What SQLite's own checks find wrong with the file; empty is good. Reads all of it."""
        try:
            found = [str(row[0]) for row in self.query("PRAGMA integrity_check(20)")]
        except DatabaseCorrupt as error:
            return [error.reason]
        return [] if found == ["ok"] else found

    def _run(self, sql: str, parameters: Parameters) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        try:
            return cursor.execute(sql, parameters)
        except UnicodeEncodeError:
            # A lone surrogate, which a text box on Windows can hold and UTF-8 cannot.
            return cursor.execute(sql, _storable(parameters))
        except sqlite3.OperationalError as error:
            # A damaged schema can fail in any words, as a bug of ours can; this path is rare enough to look.
            code = getattr(error, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_ERROR and _shape_of(self._connection) != _shape_of_a_new_one():
                raise DatabaseCorrupt(self.path, f"its schema is damaged: {error}") from error
            raise

    def _roll_back(self) -> None:
        # SQLite rolls back by itself on a full disk; a second fault here must not hide the first.
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _synchronize(self, level: str) -> None:
        if level != self._synchronous:
            self._connection.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level

    def _open(self, was_unclean: bool, on_progress: Progress | None) -> None:
        connection = self._connection
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        db = sqlite_utils.Database(connection, execute_plugins=False)
        self._recognize(db)
        if was_unclean and self.path.stat().st_size <= _QUICK_CHECK_LIMIT_BYTES:
            self._check_quickly()
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA journal_size_limit={_JOURNAL_SIZE_LIMIT_BYTES}")
        # Only macOS has a difference between fsync and what reaches the disk; elsewhere these do nothing.
        connection.execute("PRAGMA fullfsync=ON")
        connection.execute("PRAGMA checkpoint_fullfsync=ON")
        # What is deleted is overwritten, not only unlinked.
        connection.execute("PRAGMA secure_delete=ON")
        self._synchronize("FULL")
        if migrations.pending(db):
            self.backup_path = upgrade(connection, self.path, self.transaction, on_progress)
        connection.execute("PRAGMA foreign_keys=ON")
        self._require_writable()

    def _recognize(self, db: sqlite_utils.Database) -> None:
        """Refuse a file that is not ours or too new; one with nothing in it may become ours."""
        (found_version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application_id,) = self._connection.execute("PRAGMA application_id").fetchone()
        (n_objects,) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if n_objects == 0 and application_id == 0:
            return
        if application_id != APPLICATION_ID:
            raise DatabaseCorrupt(self.path, "a database of another program")
        known = known_steps()
        unknown = {migration.name for migration in migrations.applied(db)} - set(known)
        if unknown or found_version > len(known):
            raise DatabaseTooNew(self.path, max(found_version, len(known) + len(unknown)), len(known))

    def _require_writable(self) -> None:
        """Refuse a file that cannot be written now, and not at the first message."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        self._connection.execute("BEGIN IMMEDIATE")  # which alone is let through: SQLite makes it a read
        try:
            self._connection.execute(f"PRAGMA user_version={version}")
        finally:
            self._roll_back()

    def _check_quickly(self) -> None:
        problems = [row[0] for row in self._connection.execute("PRAGMA quick_check(3)")]
        if problems != ["ok"]:
            raise DatabaseCorrupt(self.path, "; ".join(problems))


def now_text() -> str:
    """This moment as the database writes it: UTC, ISO 8601, milliseconds; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shape_of(connection: sqlite3.Connection) -> set[tuple[str, str]] | None:
    """The columns of all tables, and how virtual ones were declared; None where that cannot be read."""
    try:
        return set(
            connection.execute(
                "SELECT schema.name, columns.name FROM sqlite_schema AS schema"
                " JOIN pragma_table_info(schema.name) AS columns WHERE schema.type = 'table'"
                " UNION ALL SELECT name, sql FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%'"
            )
        )
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def _shape_of_a_new_one() -> set[tuple[str, str]] | None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrations.apply(sqlite_utils.Database(connection, execute_plugins=False))
        return _shape_of(connection)


def _create_private(path: Path) -> bool:
    """Make an empty file that only its owner can read; SQLite gives its log the same mode.

    Returns:
        Whether there was none.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        sync_folder(path.parent)
        return True
    return False


def _set_strays_aside(path: Path) -> None:
    """A log whose database was taken away: SQLite would write what is in it into the new, empty one."""
    for suffix in ("-wal", "-journal"):
        stray = path.with_name(path.name + suffix)
        if _is_not_empty(stray):
            kept = path.with_name(
                f"{path.name}{suffix}.stray-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}"
            )
            stray.rename(kept)
            log.info("%s belongs to no database; kept as %s", stray, kept)


def _require_signature(path: Path) -> None:
    """SQLite itself takes a file of a few bytes for an empty database and would write over it."""
    with path.open("rb") as file:
        signature = file.read(len(_SIGNATURE))
    if signature and signature != _SIGNATURE:
        raise DatabaseCorrupt(path, "file is not a database")


def _is_not_empty(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def storable(text: str) -> str:
    """The text as UTF-8 can hold it: surrogate pairs become their character, lone surrogates U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _storable(parameters: Parameters) -> Parameters:
    def repaired(value: Any) -> Any:
        return storable(value) if isinstance(value, str) else value

    if isinstance(parameters, Mapping):
        return {name: repaired(value) for name, value in parameters.items()}
    return [repaired(value) for value in parameters]
