"""A worker's process: how it is started, what it last said, how it ended."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final

from model_manager.errors import EngineDied

log = logging.getLogger(__name__)

LAST_WORDS_BYTES: Final = 8 * 1024
_SIGKILL: Final = 9
_OUT_OF_MEMORY: Final = (
    "failed to allocate",
    "unable to allocate",
    "out of memory",
    "bad_alloc",
    "cannot allocate memory",
    "memoryerror",
)


class WorkerProcess:
    """A running worker; the thread that makes it must live as long as it does.

    Linux tells a child that its parent died when the *thread* that started it ends.
    """

    def __init__(self, name: str, command: Sequence[str], on_stderr: Callable[[], None]) -> None:
        """Start it.

        Args:
            name: Of the model, for errors.
            command: What to run.
            on_stderr: Called for everything it writes there, on a thread of this object.

        Raises:
            OSError: The command cannot be run.
        """
        self._name = name
        self._on_stderr = on_stderr
        self._oom_kills_before = oom_kills()
        self._tail = bytearray()
        self._tail_lock = threading.Lock()
        # A group of its own: Ctrl-C in a terminal is for us alone.
        flags, group = 0, None
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        else:
            group = 0
        self._popen = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            creationflags=flags,
            process_group=group,
        )
        self._drain = threading.Thread(target=self._read_stderr, name="worker-stderr", daemon=True)
        self._drain.start()

    def send(self, line: bytes) -> None:
        """Write to its stdin, which stays open; blocks while it does not read, ends when it does."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._popen.stdin.write(line)
            self._popen.stdin.flush()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._popen.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or hangs."""
        return self._popen.poll() is None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; False when it has not come in time."""
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, grace_s: float) -> None:
        """Ask it to end, so that it can save first, and end it when it does not. Returns when it is gone."""
        with contextlib.suppress(OSError):
            if sys.platform == "win32":  # there, to terminate is to kill
                assert self._popen.stdin is not None
                self._popen.stdin.close()
            else:
                self._popen.terminate()
        if not self.wait(grace_s):
            self.kill()

    def kill(self) -> None:
        """End it at once, also when it hangs or is stopped. Returns when it is gone."""
        with contextlib.suppress(OSError):
            self._popen.kill()
        self.wait()

    def close(self) -> None:
        """Release the pipes of a process that has ended."""
        self._drain.join(timeout=2)
        for pipe in (self._popen.stdin, self._popen.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def death(self) -> EngineDied:
        """How it ended; only after it has."""
        self._drain.join(timeout=2)
        code = self._popen.returncode
        signal = -code if code < 0 else None
        last_words = self.last_words()
        said_so = says_out_of_memory(last_words)
        return EngineDied(
            name=self._name,
            exit_code=None if signal is not None else code,
            signal=signal,
            last_words=last_words,
            out_of_memory=said_so or (signal == _SIGKILL and self._kernel_has_killed()),
        )

    def _kernel_has_killed(self) -> bool:
        """Whether the kernel has killed for want of memory since; a SIGKILL is then no riddle."""
        now = oom_kills()
        return now is not None and self._oom_kills_before is not None and now > self._oom_kills_before

    def last_words(self) -> str:
        """The end of what it wrote to stderr."""
        with self._tail_lock:
            return self._tail.decode("utf-8", "replace")

    def _read_stderr(self) -> None:
        assert self._popen.stderr is not None
        descriptor = self._popen.stderr.fileno()
        while True:
            try:
                chunk = os.read(descriptor, 4096)
            except OSError:
                return
            if not chunk:
                return
            log.debug("worker %s: %s", self._name, chunk.decode("utf-8", "replace").rstrip())
            with self._tail_lock:
                self._tail += chunk
                del self._tail[:-LAST_WORDS_BYTES]
            self._on_stderr()


def says_out_of_memory(words: str) -> bool:
    """Whether somebody's last words are of an allocation that failed."""
    lowered = words.lower()
    return any(sign in lowered for sign in _OUT_OF_MEMORY)


def oom_kills() -> int | None:
    """How many processes the kernel has ended for want of memory since boot; None where it cannot say."""
    try:
        with open("/proc/vmstat", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        pass
    return None
