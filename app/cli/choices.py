"""What a person may name on the command line: a model by its name, or a file of the folder they are in."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from app.console import Console
from app.services import Services


def model_name(text: str, services: Services, console: Console) -> str:
    """A name for the library: as typed where an entry has it, else a whole path.

    The command may run in another process, whose folder is not the person's.
    """
    if any(entry.name == text for entry in services.library.list()):
        return text
    path = console.cwd / Path(text).expanduser()
    return str(path) if path.is_file() else text


def positive(text: str) -> int:
    """A count on the command line: 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def effort(text: str) -> str:
    """How hard to think: a word that a template may know."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,19}", text):
        raise argparse.ArgumentTypeError("must be a word such as low, medium or high")
    return text


def temperature(text: str) -> float:
    """A temperature on the command line: 0 to 10."""
    value = float(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError("must be between 0 and 10")
    return value
