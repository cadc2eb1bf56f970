"""A person at the real window, in a process of its own that a test may kill: from the search to the answer.

    python -m tests.helpers.window_life DATA_DIR REPO QUESTION

Presses what a person would press, and prints one JSON line for each step. Started again after a kill, it
finds the download going on, and waits for its end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.bridge import Bridge
from app.paths import Paths
from app.services import Services
from app.window import WindowWiring
from ui.main_window import MainWindow

TIMEOUT_MS = 60_000


def main(data_dir: Path, repo_id: str, question: str) -> None:
    """Live it."""
    app = QApplication(sys.argv[:1])
    runtime_dir = data_dir / "run"
    runtime_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    services = Services(Paths(data_dir), runtime_dir)
    bridge, window = Bridge(), MainWindow()
    wiring = WindowWiring(window, services, bridge)
    wiring.begin()
    window.show()
    try:
        finished = Waited(wiring.downloads.finished)
        if not services.downloads.snapshots():
            find(window, wiring, repo_id)
        say("downloading")
        (snapshot,) = finished.wait()
        say("downloaded", sha256=snapshot.sha256)
        use(window, wiring, snapshot.name, question)
    finally:
        window.close()
        wiring.end()
        bridge.close()
        services.close()
        window.page.transcript.workshop.close()
        app.processEvents()


def find(window: MainWindow, wiring: WindowWiring, repo_id: str) -> None:
    """Search, read whether it fits, and press Download."""
    window.open_discover()
    page = window.rooms.room().discover
    found = Waited(wiring.discover.found)
    page.search_field.setText(repo_id.partition("/")[2])
    page.search_button.click()
    found.wait()
    say("found", repos=[face.key for face in page.view.faces.all()])
    judged = Waited(wiring.discover.fit_found)
    page.open_page(repo_id)
    judged.wait()
    say("judged", verdict=page.hub_page.fit_panel.verdict_label.text())
    page.hub_page.download_button.click()


def use(window: MainWindow, wiring: WindowWiring, name: str, question: str) -> None:
    """Verify it, choose it, and ask it something."""
    window.open_models()
    library = window.rooms.room().library
    until(lambda: name in [face.key for face in library.view.faces.all()])
    library.open_entry(name)
    until(library.panel.verify_button.isEnabled)
    verified = Waited(wiring.library.verified)
    library.panel.verify_button.click()
    verified.wait()
    say("verified")
    library.panel.chat_button.click()
    answered = Waited(wiring.chat.answered)
    window.send_requested.emit(question)
    (answer,) = answered.wait()
    say("answered", text=answer.text, model=wiring.chat.model)


def until(condition: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    loop = QEventLoop()
    timer, end = QTimer(), QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    end.timeout.connect(loop.quit)
    timer.start(20)
    end.start(TIMEOUT_MS)
    loop.exec()
    assert condition(), "it did not become so"


class Waited:
    """A signal that will come."""

    def __init__(self, signal: Any) -> None:
        self._arguments: tuple[Any, ...] | None = None
        self._loop = QEventLoop()
        signal.connect(self._take)

    def wait(self) -> tuple[Any, ...]:
        """What it brought."""
        if self._arguments is None:
            QTimer.singleShot(TIMEOUT_MS, self._loop, self._loop.quit)
            self._loop.exec()
        assert self._arguments is not None, "the signal did not come"
        return self._arguments

    def _take(self, *arguments: Any) -> None:
        if self._arguments is None:
            self._arguments = arguments
            self._loop.quit()


def say(step: str, **facts: object) -> None:
    """For the test."""
    print(json.dumps({"step": step, **facts}), flush=True)  # noqa: T201  (what the test reads)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
