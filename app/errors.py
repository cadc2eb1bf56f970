"""What can go wrong in the roof itself, as facts; `app.words` makes the sentences."""

from __future__ import annotations

from pathlib import Path


class AppError(Exception):
    """Base of all errors of this package."""


class DataFolderUnusable(AppError):
    """The data folder cannot be made or written.

    Attributes:
        path: The folder.
        reason: The system's own message.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


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


class Interrupted(AppError):
    """A person asked to stop, or went away; whatever was being done has been put in order."""


class BadUsage(AppError):
    """Arguments that make no sense together; the text says which. Exit code 2."""
