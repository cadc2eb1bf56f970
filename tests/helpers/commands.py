"""Commands as their owner runs them, without a process for each; parser, services and files are real."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from app.cli.failures import report
from app.cli.parser import parse
from app.cli.runner import run
from app.errors import BadUsage
from app.services import Services


class Script:
    """A console that nobody looks at, with what stands on its input; satisfies `app.console.Console`."""

    is_interactive = False
    is_screen = False
    n_columns = 80

    def __init__(self, cwd: Path, stdin: str = "") -> None:
        self.cwd = cwd
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._lines = iter(stdin.splitlines())

    def variable(self, _name: str) -> str | None:
        return None

    def out(self, text: str) -> None:
        self.stdout.append(text)

    def err(self, text: str) -> None:
        self.stderr.append(text)

    def read_line(self, _prompt: str = "") -> str | None:
        return next(self._lines, None)

    @contextlib.contextmanager
    def on_interrupt(self, _act: Callable[[], None]) -> Iterator[None]:
        yield


def perform(
    services: Services, *arguments: str, cwd: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, as `tests.helpers.cli.coterie` does in a process."""
    console = Script(cwd or services.paths.data_dir, stdin)
    line = ["--data-dir", str(services.paths.data_dir), *arguments]
    try:
        code = run(parse(line), services, console)
    except BadUsage as error:
        code = report(error, console)
    return subprocess.CompletedProcess(line, code, "".join(console.stdout), "".join(console.stderr))
