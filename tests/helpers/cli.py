"""The real program on a command line, as a subprocess."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TIMEOUT_S = 90


def command(data_dir: Path, *arguments: str) -> list[str]:
    """What starts it."""
    return [sys.executable, "-m", "app", "--data-dir", str(data_dir), *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, where compiled modules may be kept: tests start the program many times."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | dict(more or {})


def coterie(
    data_dir: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "", **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(data_dir, *arguments),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment(env),
        check=False,
        **options,
    )


def start(data_dir: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Run it beside the test, with pipes."""
    return subprocess.Popen(
        command(data_dir, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(env),
    )


def events(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The JSON lines of its output."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def succeed(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """It ended well."""
    assert done.returncode == 0, done.stderr
    return done


def refuse(done: subprocess.CompletedProcess[str], *words: str) -> str:
    """It failed with exactly one line on stderr, which contains `words`; returns the line."""
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("coterie: ")
    for word in words:
        assert word.lower() in line.lower(), line
    return line
