"""Files that are written under the very name that they are known by: a link there leads nowhere."""

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
