"""Where llama.cpp's own log lines go: into Python's logging, and the last errors into `LoadFailed`."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

# Its INFO is detail for developers and its warnings are mostly about choices that we made on purpose, so both
# step down. An error stays below WARNING as well: whoever called raises a typed error with these words.
# Source: llama.cpp@0c1e57098 ggml/include/ggml.h, enum ggml_log_level
_LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.INFO, 4: logging.INFO}
_ERROR = 4
_CONTINUED = 5


class NativeLog:
    """Takes log pieces in any number of calls a line; safe from any thread with the interpreter lock."""

    def __init__(self, n_kept: int = 8) -> None:
        self._errors: deque[str] = deque(maxlen=n_kept)
        self._level = logging.DEBUG
        self._line = ""
        self._is_error = False
        self._on_line: Callable[[str], None] | None = None

    @contextlib.contextmanager
    def gathering(self) -> Iterator[list[str]]:
        """Also collect every line of any level, as long as one is inside; used while loading, by one thread.

        llama.cpp tells the sizes of its buffers nowhere else.
        """
        lines: list[str] = []
        with self.listening(lines.append):
            yield lines

    @contextlib.contextmanager
    def listening(self, on_line: Callable[[str], None]) -> Iterator[None]:
        """Tell every line of any level as it ends, as long as one is inside; by one thread."""
        self._on_line = on_line
        try:
            yield
        finally:
            self._on_line = None

    def write(self, level: int, text: str) -> None:
        """Take one piece; complete lines are logged."""
        if level != _CONTINUED:
            self._level = _LEVELS.get(level, logging.DEBUG)
            self._is_error = level == _ERROR
        is_wanted = self._is_error or log.isEnabledFor(self._level)
        if not is_wanted and self._on_line is None:
            return
        self._line += text
        *lines, self._line = self._line.split("\n")
        for line in lines:
            if not line.strip():
                continue
            if self._on_line is not None:
                self._on_line(line)
            if is_wanted:
                log.log(self._level, "%s", line)
            if self._is_error:
                self._errors.append(line.strip())

    def forget(self) -> None:
        """Drop what was kept; called before an action whose own last words are wanted."""
        self._errors.clear()
        self._line = ""

    def last_words(self) -> str:
        """The latest error lines since `forget`, the oldest first; empty when there was none."""
        return "; ".join(self._errors)
