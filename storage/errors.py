"""Everything that can go wrong with the database, as facts. Sentences are made by `ui.text` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


class StorageError(Exception):
    """Base of all errors of this package."""


class DatabaseUnusable(StorageError):
    """The environment's fault, not ours: the file cannot be opened or written.

    Attributes:
        path: The database file.
        reason: SQLite's own message.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class DatabaseReadOnly(DatabaseUnusable):
    """The file or its folder may not be written."""


class DatabaseDiskFull(DatabaseUnusable):
    """The disk filled up; the last acknowledged state is intact."""


class DatabaseCorrupt(DatabaseUnusable):
    """The file is damaged or is not a database."""


class DatabaseLocked(DatabaseUnusable):
    """Another program holds the file for longer than the timeout."""


class DatabaseTooNew(DatabaseUnusable):
    """A later version of the program wrote the file.

    Attributes:
        found_version: The schema's version in the file.
        known_version: The newest that this program knows.
    """

    def __init__(self, path: Path, found_version: int, known_version: int) -> None:
        super().__init__(path, f"schema {found_version} > {known_version}")
        self.found_version = found_version
        self.known_version = known_version


class NoSuchConversation(StorageError):
    """No conversation has this id."""

    def __init__(self, conversation_id: int) -> None:
        super().__init__(str(conversation_id))
        self.conversation_id = conversation_id


class NoSuchMessage(StorageError):
    """No message has this id."""

    def __init__(self, message_id: int) -> None:
        super().__init__(str(message_id))
        self.message_id = message_id


class NoSuchSetting(StorageError):
    """A key that no version of the program has declared."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class NoSuchFolder(StorageError):
    """No folder has this path."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class UnusableLabel(StorageError):
    """A text that cannot be the name of a tag, a folder or a prompt."""

    def __init__(self, name: str) -> None:
        super().__init__(repr(name))
        self.name = name


class NoSuchPrompt(StorageError):
    """No prompt of the library has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NotRatable(StorageError):
    """A person's own message was to be rated; only answers are."""

    def __init__(self, message_id: int) -> None:
        super().__init__(str(message_id))
        self.message_id = message_id


class BackupUnusable(StorageError):
    """A file that cannot be put in the place of the database; nothing was changed.

    Attributes:
        path: The file.
        reason: SQLite's own message.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ArchiveRefused(StorageError):
    """A zip or folder that must not or cannot be read; nothing of it was.

    Attributes:
        path: The file.
        reason: "damaged", "too_many_files", "too_large", "overlapping", "leads_out" or "encrypted".
        detail: Technical text: the file in it, or a number.
    """

    def __init__(self, path: Path, reason: str, detail: str) -> None:
        super().__init__(f"{path}: {reason}: {detail}")
        self.path = path
        self.reason = reason
        self.detail = detail


class UnknownExport(StorageError):
    """A file that is none of the formats that can be imported.

    Attributes:
        path: The file.
        is_cut_off: It is JSON that ends within its first conversation.
    """

    def __init__(self, path: Path, is_cut_off: bool = False) -> None:
        super().__init__(str(path))
        self.path = path
        self.is_cut_off = is_cut_off


class ForeignDatabaseUnreadable(StorageError):
    """Another program's database cannot be read.

    Attributes:
        path: The file.
        reason: SQLite's own message.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class NoSuchCollection(StorageError):
    """No collection of documents has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NoSuchSource(StorageError):
    """A file or folder that was never added to a collection.

    Attributes:
        name: The collection.
    """

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(f"{name}: {path}")
        self.name = name
        self.path = path


class NoSuchPassage(StorageError):
    """No passage has this id: it was never there, or its document has changed or was removed."""

    def __init__(self, passage_id: int) -> None:
        super().__init__(str(passage_id))
        self.passage_id = passage_id


RefusalKind = Literal[
    "gone",
    "unreadable",
    "not_a_file",
    "bad_name",
    "outside",
    "too_large",
    "binary",
    "broken",
    "encrypted",
    "no_text",
    "stuck",
]


class DocumentRefused(StorageError):
    """A file that gives no document; what was indexed of it before stays.

    Attributes:
        path: The file.
        why: `outside` is a link out of the folder that was added; `stuck` took too long or too much memory.
        detail: Technical text; may be empty.
    """

    def __init__(self, path: Path, why: RefusalKind, detail: str) -> None:
        super().__init__(f"{path}: {why} {detail}".rstrip())
        self.path = path
        self.why = why
        self.detail = detail
