"""The use case of the models page: what there is, adding, checking and removing models."""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.bridge import Bridge, Latest
from app.services import Services
from model_manager.types import ModelEntry

log = logging.getLogger(__name__)


class LibraryController(QObject):
    """Works on the library off the Qt thread.

    Signals:
        listed: List of ModelEntry.
        progressed: Name of a model that is being verified, per mille; None when it has ended.
        added: ModelEntry, after an import.
        verified: ModelEntry, whose bytes are what they should be.
        removed: Name.
        failed: Exception, for a sentence.
    """

    listed = Signal(object)
    progressed = Signal(str, object)
    added = Signal(object)
    verified = Signal(object)
    removed = Signal(str)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._library = services.library
        self._bridge = bridge
        self._is_closed = False
        services.subscribe_downloads(lambda _snapshot: bridge.post(self.refresh))

    def refresh(self) -> None:
        """Read the list anew."""
        self._bridge.run(lambda: list(self._library.list()), self.listed.emit, self.failed.emit)

    def import_path(self, path: str) -> None:
        """Add a file where it is."""

        def done(entry: ModelEntry) -> None:
            self.refresh()
            self.added.emit(entry)

        self._bridge.run(lambda: self._library.import_path(Path(path)), done, self.failed.emit)

    def verify(self, name: str) -> None:
        """Read every byte of a model."""
        latest: Latest[int] = Latest(self._bridge, lambda permille: self.progressed.emit(name, permille))

        def work() -> ModelEntry:
            return self._library.verify(
                name,
                lambda done, total: latest.offer(1000 * done // max(1, total)),
                lambda: self._is_closed,
            )

        def done(entry: ModelEntry) -> None:
            self._ended(name, latest)
            self.verified.emit(entry)

        def failed(error: Exception) -> None:
            self._ended(name, latest)
            self.failed.emit(error)

        self._bridge.run(work, done, failed)

    def remove(self, name: str) -> None:
        """Forget a model, and delete its files if they are ours; the person has confirmed."""

        def work() -> None:
            self._services.remove_model(name)

        def done(_nothing: None) -> None:
            self.refresh()
            self.removed.emit(name)

        self._bridge.run(work, done, self.failed.emit)

    def close(self) -> None:
        """Let what runs end soon."""
        self._is_closed = True

    def _ended(self, name: str, latest: Latest[int]) -> None:
        latest.flush()
        self.progressed.emit(name, None)
        self.refresh()
