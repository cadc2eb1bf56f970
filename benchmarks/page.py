"""Puts the table into the page that shows it, with the machine it was measured on."""

from __future__ import annotations

import datetime
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.table import Row, markdown
from model_manager.engine.llama import library
from model_manager.engine.threads import initial_threads

BEGIN = "<!-- table: written by `python -m benchmarks --write`, do not edit -->"
END = "<!-- end of the table -->"
_QUIET_CORES = 0.15


def write(path: Path, rows: Sequence[Row]) -> None:
    """Replace what stands between the marks of the page.

    Raises:
        ValueError: The page lacks the marks.
    """
    text = path.read_text()
    begin, end = text.find(BEGIN), text.find(END)
    if not 0 <= begin < end:
        raise ValueError(f"{path} has no place for the table")
    body = f"{BEGIN}\n\n{_machine(rows)}\n\n{markdown(rows)}\n"
    path.write_text(text[:begin] + body + text[end:])


def _machine(rows: Sequence[Row]) -> str:
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    noise = max((row.others_cores for row in rows), default=0.0)
    quiet = "the machine was quiet" if noise < _QUIET_CORES else "**the machine was not quiet**"
    memory_gib = psutil.virtual_memory().total / 2**30
    facts = [
        _processor(),
        f"{psutil.cpu_count(logical=False)} cores",
        f"{memory_gib:.0f} GiB",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        library.engine_name(),
        f"{initial_threads()} threads",
    ]
    return (
        f"Measured on {day} at commit {_commit()}: {', '.join(facts)}. "
        f"Other processes used at most {noise:.2f} cores during a row: {quiet}."
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.processor()


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return asked.stdout.strip() or "unknown"
