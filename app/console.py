"""What a command sees of the person who typed it: lines out, lines in, and the wish to stop.

A command works the same on the terminal of its own process (`Terminal`) and over the control socket of
another process that owns the data folder (`app.control.RemoteConsole`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Protocol

from app.errors import Interrupted
from app.waking import waking_main_thread
from model_manager import tokens
from model_manager.importers import stores

VARIABLES = ("COTERIE_API_KEY", "COTERIE_ENGINE_KEY", *tokens.VARIABLES, *stores.VARIABLES)
"""Of the environment, what a command may need of who typed it: secrets, which must never stand on a command
line, the addresses that tell whom they are for, and where other programs keep their models."""


class Console(Protocol):
    """One person at one terminal (or one script)."""

    @property
    def cwd(self) -> Path:
        """Folder that relative paths of the command line start from."""

    @property
    def is_interactive(self) -> bool:
        """Whether a person types the input, so that prompts make sense."""

    @property
    def is_screen(self) -> bool:
        """Whether the output is looked at, so that it may be dimmed and redrawn."""

    @property
    def n_columns(self) -> int:
        """Width of the screen."""

    def variable(self, name: str) -> str | None:
        """A variable of the person's environment, one of `VARIABLES`; None where it is not set."""

    def out(self, text: str) -> None:
        """Write to stdout as is and at once. Raises `Interrupted` when nobody reads any more."""

    def err(self, text: str) -> None:
        """Write to stderr as is and at once."""

    def read_line(self, prompt: str = "") -> str | None:
        """The next line of the input without its end; None after the last. Raises `Interrupted`."""

    def on_interrupt(self, act: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """While inside, the wish to stop (Ctrl+C, or the other end gone) calls `act` from any thread.

        A second Ctrl+C raises `Interrupted` where it can.
        """


class Interrupts:
    """The wish to stop: whom it reaches. Safe from any thread and from a signal handler."""

    def __init__(self) -> None:
        # Re-entrant: the signal handler runs on the main thread, which may be inside.
        self._lock = threading.RLock()
        self._acts: list[Callable[[], None]] = []
        self._n_presses = 0

    @contextlib.contextmanager
    def to(self, act: Callable[[], None]) -> Iterator[None]:
        """Hand the wish to `act` while inside."""
        with self._lock:
            self._acts.append(act)
            self._n_presses = 0
        try:
            yield
        finally:
            with self._lock:
                self._acts.remove(act)

    def press(self) -> bool:
        """Someone wants to stop. False when nobody takes care of it: the command itself should end."""
        with self._lock:
            self._n_presses += 1
            act = self._acts[-1] if self._acts else None
            first = self._n_presses == 1
        if act is None:
            return False
        act()
        return first


class Terminal:
    """The standard streams of this process. Made on the main thread, which then runs the command.

    Attributes:
        is_told_to_end: The system wants the process to end, not only its command to stop.
    """

    def __init__(self) -> None:
        self.interrupts = Interrupts()
        self.is_told_to_end = False
        for stream in (sys.stdout, sys.stderr):
            # A console that cannot show a character shows a question mark; that is no reason to fail.
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="replace")

    @property
    def cwd(self) -> Path:
        """See `Console`."""
        return Path.cwd()

    @property
    def is_interactive(self) -> bool:
        """See `Console`."""
        return sys.stdin is not None and sys.stdin.isatty()

    @property
    def is_screen(self) -> bool:
        """See `Console`."""
        return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def n_columns(self) -> int:
        """See `Console`."""
        return shutil.get_terminal_size().columns

    def variable(self, name: str) -> str | None:
        """See `Console`."""
        return os.environ.get(name) or None if name in VARIABLES else None

    def out(self, text: str) -> None:
        """See `Console`."""
        if sys.stdout is None:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError as error:
            # The reader has gone (`coterie ... | head`). Nothing more can be said there, not even at exit.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 : lives as long as the process
            raise Interrupted from error

    def err(self, text: str) -> None:
        """See `Console`."""
        if sys.stderr is not None:
            with contextlib.suppress(BrokenPipeError):
                sys.stderr.write(text)
                sys.stderr.flush()

    def read_line(self, prompt: str = "") -> str | None:
        """See `Console`."""
        if sys.stdin is None:
            return None
        if self.is_interactive and self.is_screen:
            with contextlib.suppress(ImportError):
                import readline  # noqa: F401 : gives input() its line editing
            try:
                return input(prompt)
            except EOFError:
                self.out("\n")
                return None
        line = sys.stdin.readline()
        return line.rstrip("\r\n") if line else None

    def on_interrupt(self, act: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        """See `Console`."""
        return self.interrupts.to(act)

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """While inside, SIGINT is the wish to stop and SIGTERM (and a closed terminal) means it twice."""

        def on_interrupt(_signum: int, _frame: FrameType | None) -> None:
            if not self.interrupts.press():
                raise Interrupted

        def on_end(_signum: int, _frame: FrameType | None) -> None:
            self.is_told_to_end = True
            self.interrupts.press()
            raise Interrupted

        ends = [signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
        before = {signal.SIGINT: signal.signal(signal.SIGINT, on_interrupt)}
        before |= {signum: signal.signal(signum, on_end) for signum in ends}
        try:
            with waking_main_thread():
                yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)
