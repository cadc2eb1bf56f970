"""One line on a person's terminal that is drawn again and again; nothing where the output is not a screen."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from app.console import Console
from app.engines import Engines
from ui import formats
from ui.i18n import tr

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

    def show_text(self, text: str) -> None:
        """Draw `text`, at most ten times a second."""
        if time.monotonic() - self._drawn_at >= _REDRAW_INTERVAL_S:
            self.show(text)

    def show_share(self, done_bytes: int, total_bytes: int) -> None:
        """Draw how much of something is done, at most ten times a second."""
        if time.monotonic() - self._drawn_at >= _REDRAW_INTERVAL_S:
            self.show(f"{formats.size(done_bytes)} / {formats.size(total_bytes)}")

    def show_steps(self, what: str, done: int, total: int) -> None:
        """Draw how much of some work is done, at most ten times a second."""
        if time.monotonic() - self._drawn_at >= _REDRAW_INTERVAL_S:
            self.show(f"{what} {100 * done // max(total, 1)} %")

    def clear(self) -> None:
        """Leave an empty line."""
        if self._drawn_at:
            self._console.err(_CLEAR)
            self._drawn_at = 0.0


class LoadingLine:
    """While inside, and until `end`, shows how far a model is loaded.

    A thread looks at the engine's state: whoever waits for the model is blocked meanwhile.
    """

    def __init__(self, console: Console, engines: Engines) -> None:
        self._line = ProgressLine(console)
        self._engines = engines
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        if console.is_screen:
            self._thread = threading.Thread(target=self._watch, name="loading line", daemon=True)

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Make room for the answer; after this nothing more is drawn. May be called twice."""
        if self._thread is None:
            return
        self._is_over.set()
        self._thread.join()
        self._thread = None
        self._line.clear()

    def _watch(self) -> None:
        while not self._is_over.wait(_REDRAW_INTERVAL_S):
            state = self._engines.state
            if state.status == "loading":
                self._line.show(tr("Loading {percent} %", percent=state.load_permille // 10))
            else:
                self._line.clear()
