"""What can go wrong in the roof itself, as facts; `app.words` makes the sentences."""

from __future__ import annotations

import errno
from pathlib import Path


class AppError(Exception):
    """Base of all errors of this package."""


class DataFolderUnusable(AppError):
    """The data folder cannot be made or written.

    Attributes:
        path: The folder.
        reason: The system's own message.
        is_full: There is no room on its disk.
    """

    def __init__(self, path: Path, reason: str, *, is_full: bool = False) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.is_full = is_full

    @classmethod
    def of(cls, path: Path, error: OSError) -> DataFolderUnusable:
        """What the system said of a folder."""
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return cls(path, error.strerror or str(error), is_full=is_full)


class DataFolderInUse(AppError):
    """Another program has the data folder, and what is to be done needs it alone."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


class OwnerGone(AppError):
    """The program that owned the data folder ended while it worked for us."""


class OwnerSilent(AppError):
    """A program owns the data folder but does not answer.

    Attributes:
        path: The folder.
        pid: The program's process id; None when it has not told.
    """

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"{path}: process {pid}")
        self.path = path
        self.pid = pid


class NotAnAnswer(AppError):
    """A message that was to be looked into is none of a model's."""

    def __init__(self, message_id: int) -> None:
        super().__init__(str(message_id))
        self.message_id = message_id


class TokensNotKept(AppError):
    """The token ids of an answer are not stored: it is older than that, has none, or had images before it."""

    def __init__(self, message_id: int) -> None:
        super().__init__(str(message_id))
        self.message_id = message_id


class RoutingNotKept(AppError):
    """Where the tokens of an answer went was not noted while it was made."""

    def __init__(self, message_id: int) -> None:
        super().__init__(str(message_id))
        self.message_id = message_id


class ModelChanged(AppError):
    """The model of this name has another file than the one that made an answer."""

    def __init__(self, message_id: int, name: str) -> None:
        super().__init__(f"{message_id}: {name}")
        self.message_id = message_id
        self.name = name


class Interrupted(AppError):
    """A person asked to stop, or went away; whatever was being done has been put in order."""


class NotErased(AppError):
    """Conversations are deleted, and traces of them are left in the file; the cause says why.

    Attributes:
        n_deleted: How many.
    """

    def __init__(self, n_deleted: int) -> None:
        super().__init__(f"{n_deleted} conversations")
        self.n_deleted = n_deleted


class BadUsage(AppError):
    """Arguments that make no sense together; the text says which. Exit code 2."""


class EngineNotListed(AppError):
    """There is no remote engine of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class UnusableName(AppError):
    """A remote engine cannot be called so."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class UnusableAddress(AppError):
    """Not a web address that an engine could have, or one that holds a secret."""

    def __init__(self, url: str) -> None:
        super().__init__("unusable address")  # it may hold a secret, and this goes into the log
        self.url = url


class OutputExists(AppError):
    """The file that was to be written is there already."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


class PrintingFailed(AppError):
    """A PDF could not be made.

    Attributes:
        path: Of the PDF.
        reason: What Qt said last.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
