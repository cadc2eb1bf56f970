"""What an installed bundle brings along: the file that the starter models are made from."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from model_manager import starter
from model_manager.errors import ModelManagerError


def supply_starter() -> None:
    """Put the dense file into the cache, once a machine; nothing where this is no bundle.

    Where that fails the starter is said to be unavailable when it is asked for.
    """
    folder = getattr(sys, "_MEIPASS", None)  # where PyInstaller's bootloader has its files
    if folder is None or starter.dense_path().is_file():
        return
    supplied = Path(folder) / "starter" / starter.dense_path().name
    with contextlib.suppress(OSError, ModelManagerError), supplied.open("rb") as source:
        starter.adopt_dense(source)
