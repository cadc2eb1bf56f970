"""One line on a person's terminal that is drawn again and again; nothing where the output is not a screen."""

from __future__ import annotations

import time

from app.console import Console
from ui import formats

_REDRAW_INTERVAL_S = 0.1
_CLEAR = "\r\x1b[K"


class ProgressLine:
    """Belongs to one command; not thread-safe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawn_at = 0.0

    def show(self, text: str) -> None:
        """Draw `text` in place of what stood there."""
        if self._console.is_screen:
            self._console.err(f"{_CLEAR}{text[: self._console.n_columns - 1]}")
            self._drawn_at = time.monotonic()

    def show_share(self, done_bytes: int, total_bytes: int) -> None:
        """Draw how much of something is done, at most ten times a second."""
        if time.monotonic() - self._drawn_at >= _REDRAW_INTERVAL_S:
            self.show(f"{formats.size(done_bytes)} / {formats.size(total_bytes)}")

    def clear(self) -> None:
        """Leave an empty line."""
        if self._drawn_at:
            self._console.err(_CLEAR)
