"""The folder of backups: making, listing, checking and putting one back.

On disk, beside the database:

    backups/coterie-20261124T082100123456Z.sqlite           made by hand
    backups/coterie-auto-20261124T082100123456Z.sqlite      made by the schedule; the oldest go
    backups/coterie-schema5-20261124T082100123456Z.sqlite   made before a migration
    backups/coterie-replaced-20261124T082100123456Z.sqlite  what another one was put in the place of

Each is one whole file that any SQLite tool opens. Nothing here needs the database to be open, or to be sound.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from storage.backup import back_up, sync_folder
from storage.errors import BackupUnusable, DatabaseCorrupt, DatabaseTooNew
from storage.faults import faults_of
from storage.migrations import APPLICATION_ID, known_steps

BackupKind = Literal["hand", "auto", "schema", "replaced"]

_NAME: Final = re.compile(r"-(?:(auto|replaced)-|schema\d+-)?(\d{8}T\d{6})(\d{6})Z$")
# What SQLite keeps beside a file; the first two hold content of it.
_COMPANIONS: Final = ("-wal", "-journal", "-shm")


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One backup, by its name alone.

    Attributes:
        made_at: As its name says.
    """

    path: Path
    kind: BackupKind
    made_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class BackupContent:
    """What a backup that is sound holds.

    Attributes:
        version: Of the schema.
        newest_at: When its newest message was begun; None without any.
    """

    path: Path
    version: int
    n_conversations: int
    n_messages: int
    newest_at: datetime | None


class Backups:
    """The backups of one database. Any thread, any process: each call opens what it needs."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self.folder = database.parent / "backups"

    def list(self) -> list[BackupFile]:
        """All in the folder, the newest first; files of other names are not ours."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for path in self.folder.glob(f"{self._database.stem}-*.sqlite"):
                with contextlib.suppress(FileNotFoundError):  # tidied away meanwhile
                    if (file := self._file(path)) is not None:
                        found.append(file)
        return sorted(found, key=lambda file: (file.made_at, file.path.name), reverse=True)

    def create(
        self, kind: Literal["hand", "auto"] = "hand", target: Path | None = None, *, overwrite: bool = False
    ) -> Path:
        """Write a verified copy of the database as it is now, also while it is in use.

        Args:
            kind: For its name.
            target: Where to; None chooses a name in the folder.
            overwrite: Replace `target` where it is there, once the new copy is whole.

        Raises:
            FileExistsError: `target` is there, or is the database itself.
            DatabaseUnusable: One of its kinds; then nothing is left behind.
        """
        if target is None:
            target = self.folder / self._name("auto-" if kind == "auto" else "")
        elif target.exists() and (not overwrite or target.samefile(self._database)):
            raise FileExistsError(17, os.strerror(17), str(target))
        with faults_of(self._database), closing(self._reader(self._database)) as connection:
            back_up(connection, target)
        return target

    def create_if_due(self, every_days: int, n_kept: int) -> Path | None:
        """Make one if the newest of the schedule is older than that, then remove the oldest of them.

        Args:
            every_days: 0 makes none.
            n_kept: Of the schedule's; those made by hand or before a migration stay.

        Returns:
            What was made; None when it was not due.
        """
        if every_days <= 0:
            return None
        made = [file for file in self.list() if file.kind == "auto"]
        limit = datetime.now(UTC) - timedelta(days=every_days)
        # One from the future (the clock was put back) does not count, or there might be none for years.
        if any(limit < file.made_at <= datetime.now(UTC) for file in made):
            return None
        self._tidy()
        path = self.create("auto")
        for file in [file for file in self.list() if file.kind == "auto"][max(1, n_kept) :]:
            file.path.unlink(missing_ok=True)
        return path

    def verify(self, path: Path) -> BackupContent:
        """Read all of a backup and say what it holds.

        Raises:
            FileNotFoundError: It is not there.
            BackupUnusable: It is damaged, or no database of ours.
            DatabaseTooNew: A later version of the program wrote it.
        """
        if not path.is_file():
            raise FileNotFoundError(2, os.strerror(2), str(path))
        try:
            with faults_of(path), closing(self._reader(path)) as connection:
                return _content(connection, path)
        except DatabaseCorrupt as error:
            raise BackupUnusable(path, error.reason) from error

    def restore(self, path: Path) -> Path | None:
        """Put a backup in the place of the database, which is kept as a backup of its own.

        The database must not be open, so only the owner of the data folder may call this. A crash leaves the
        old one or the new one in place, or the old one under its new name and nothing in its place; then
        calling it again completes it.

        Args:
            path: Checked first; it stays where it is.

        Returns:
            Where the old database is now; None where there was none.

        Raises:
            FileNotFoundError, BackupUnusable, DatabaseTooNew: As `verify`; nothing was changed.
            DatabaseDiskFull, DatabaseReadOnly, DatabaseUnusable: The same.
        """
        self.verify(path)
        unfinished = self._database.with_name(self._database.name + ".restored")
        with faults_of(self._database):
            try:
                with closing(self._reader(path)) as connection:
                    unfinished.unlink(missing_ok=True)
                    back_up(connection, unfinished)
                replaced = self._set_aside()
                os.rename(unfinished, self._database)
                sync_folder(self._database.parent)
            finally:
                unfinished.unlink(missing_ok=True)
        return replaced

    def remove(self, paths: Sequence[Path]) -> None:
        """Delete backups of the folder for good; none where one of them is not there.

        Raises:
            FileNotFoundError: It is not in the folder.
            OSError: The system refuses.
        """
        known = {file.path for file in self.list()}
        for path in paths:
            if path not in known:
                raise FileNotFoundError(2, os.strerror(2), str(path))
        for path in paths:
            for suffix in ("", *_COMPANIONS):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        sync_folder(self.folder)

    def holding(self, conversation_id: int, created_at: datetime) -> tuple[Path, ...]:
        """The backups that still hold a conversation that was deleted; unreadable ones are left out."""
        text = created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        found = []
        for file in self.list():
            with contextlib.suppress(sqlite3.Error), closing(self._reader(file.path)) as connection:
                query = "SELECT 1 FROM conversations WHERE id = ? AND created_at = ?"
                if connection.execute(query, [conversation_id, text]).fetchone():
                    found.append(file.path)
        return tuple(found)

    def _tidy(self) -> None:
        """Remove what a program left that was killed while it made a backup."""
        yesterday = (datetime.now(UTC) - timedelta(days=1)).timestamp()
        for unfinished in self.folder.glob(f"{self._database.stem}-*.sqlite.part*"):
            with contextlib.suppress(OSError):
                if unfinished.stat().st_mtime < yesterday:
                    unfinished.unlink()

    def _set_aside(self) -> Path | None:
        """Move the database with its log under another name, the file itself last."""
        target: Path | None = None
        companions = {
            suffix: self._database.with_name(self._database.name + suffix) for suffix in _COMPANIONS
        }
        if self._database.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            target = self.folder / self._name("replaced-")
            for suffix in _COMPANIONS[:2]:
                if companions[suffix].exists():
                    # A copy, so that the old database is whole in its old place until it goes.
                    shutil.copy2(companions[suffix], target.with_name(target.name + suffix))
            os.rename(self._database, target)
            sync_folder(self.folder)
        for companion in companions.values():
            companion.unlink(missing_ok=True)  # or the new database would be taken to go on in the old log
        sync_folder(self._database.parent)
        return target

    def _name(self, kind: str) -> str:
        return f"{self._database.stem}-{kind}{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}.sqlite"

    def _file(self, path: Path) -> BackupFile | None:
        match = _NAME.search(path.stem)
        if match is None:
            return None
        kind: BackupKind = "schema" if "-schema" in match.group() else "hand"
        if match.group(1):
            kind = "auto" if match.group(1) == "auto" else "replaced"
        made_at = datetime.strptime(match.group(2) + match.group(3), "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        return BackupFile(path, kind, made_at, path.stat().st_size)

    @staticmethod
    def _reader(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection


def _content(connection: sqlite3.Connection, path: Path) -> BackupContent:
    problems = [row[0] for row in _all(connection, "PRAGMA integrity_check(5)")]
    if problems != ["ok"]:
        raise DatabaseCorrupt(path, "; ".join(problems))
    ((application_id,),) = _all(connection, "PRAGMA application_id")
    ((version,),) = _all(connection, "PRAGMA user_version")
    if application_id != APPLICATION_ID:
        raise DatabaseCorrupt(path, "not a database of Coterie")
    n_known = len(known_steps())
    if version > n_known:
        raise DatabaseTooNew(path, version, n_known)
    if _all(connection, "PRAGMA foreign_key_check"):
        raise DatabaseCorrupt(path, "rows refer to missing ones")
    ((n_conversations,),) = _all(connection, "SELECT count(*) FROM conversations")
    ((n_messages, newest),) = _all(connection, "SELECT count(*), max(created_at) FROM messages")
    newest_at = None
    with contextlib.suppress(ValueError):
        newest_at = datetime.fromisoformat(newest) if newest else None
    return BackupContent(path, version, n_conversations, n_messages, newest_at)


def _all(connection: sqlite3.Connection, sql: str) -> list[Any]:
    return connection.execute(sql).fetchall()
