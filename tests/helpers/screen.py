"""A virtual screen, and the real program on it, for the end-to-end tests and the README's pictures.

Tests wait for lines of the program's log (`Program.wait_for`), never for time to pass.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

import psutil


class Screen:
    """An Xvfb server of its own on a free display number."""

    def __init__(self, width: int = 1280, height: int = 860) -> None:
        self.size = f"{width}x{height}"
        reader, writer = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{self.size}x24", "-nolisten", "tcp"],
            pass_fds=[writer],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writer)
        with os.fdopen(reader) as answer:
            self.display = f":{answer.readline().strip()}"

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.terminate()
        self._server.wait(10)

    def environment(self) -> dict[str, str]:
        env = {**os.environ, "DISPLAY": self.display, "QT_QPA_PLATFORM": "xcb"}
        env.pop("WAYLAND_DISPLAY", None)
        return env

    def xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments],
            env=self.environment(),
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout.strip()

    def type(self, text: str) -> None:
        self.xdotool("type", "--delay", "5", text)

    def key(self, name: str) -> None:
        self.xdotool("key", name)

    def click(self, x: int, y: int) -> None:
        self.xdotool("mousemove", str(x), str(y), "click", "1")

    def shoot(self, path: Path) -> Path:
        """Writes the whole screen as a PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["import", "-display", self.display, "-window", "root", str(path)],
            check=True,
            timeout=30,
            env=self.environment(),
        )
        return path


class Program:
    """`python -m app ARGUMENTS` as a child process whose log on stderr can be waited for."""

    def __init__(self, *arguments: str, env: dict[str, str], data_dir: Path) -> None:
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app", "--data-dir", str(data_dir), "-v", *arguments],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, name="program-log", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def wait_for(self, text: str, timeout_s: float = 60) -> str:
        """The next line of the log that contains `text`; lines before it are consumed.

        Raises:
            AssertionError: The program ended, or said nothing of it in time.
        """
        while True:
            try:
                line = self._queue.get(timeout=timeout_s)
            except queue.Empty:
                line = None
            assert line is not None, f"never said {text!r}; last lines:\n" + "".join(self.lines[-30:])
            self.lines.append(line)
            if text in line:
                return line

    def workers(self) -> list[psutil.Process]:
        """The worker processes it has started."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "worker" in child.cmdline()]

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(15)
        self._reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
