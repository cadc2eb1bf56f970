"""Files of ours: written under the very name that they are known by, and there after a power cut."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def open_own(path: Path) -> BinaryIO:
    """Open a file to read and write, without a buffer; made if it is not there.

    Raises:
        OSError: The system refuses, also because there is a link.
    """
    return open(os.open(path, _FLAGS, 0o644), "r+b", buffering=0)


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk itself, so that a power cut takes back no renaming.

    Raises:
        OSError: The system refuses.
    """
    if os.name == "nt":
        return  # Windows has no handle for this
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
