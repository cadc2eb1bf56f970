"""The use case of the downloads page. A 250 ms timer publishes what the transfers have counted."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from app.bridge import Bridge
from app.controllers.library import free_bytes_of
from app.keep_awake import keep_awake
from app.services import Services
from model_manager.types import DownloadPlace, DownloadSnapshot

PUBLISH_INTERVAL_MS = 250
_ROOM_EVERY = 20
"""Times that something is published between two looks at the disk."""
_ACTIVE = ("queued", "running", "verifying")


class DownloadsController(QObject):
    """Starts and steers downloads off the Qt thread; publishes their state on it.

    Signals:
        published: List of DownloadSnapshot; often while something runs, else after a change.
        room_changed: Free bytes on the disk of the models, and their folder.
        finished: DownloadSnapshot of one that is done.
        stopped: DownloadSnapshot of one that a problem has ended.
        failed: Exception, for a sentence.
    """

    published = Signal(object)
    room_changed = Signal(object, object)
    finished = Signal(object)
    stopped = Signal(object)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._downloads = services.downloads
        self._sources = services.sources
        self._models_dir = services.library.models_dir
        self._n_published = 0
        self._bridge = bridge
        self._awake: threading.Event | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(PUBLISH_INTERVAL_MS)
        self._timer.timeout.connect(self.publish)
        services.subscribe_downloads(lambda snapshot: bridge.post(lambda: self._on_ended(snapshot)))

    def publish(self) -> None:
        """Tell how all downloads are; the timer goes on while one is active."""
        snapshots = self._downloads.snapshots()
        is_active = any(snapshot.status in _ACTIVE for snapshot in snapshots)
        if is_active != self._timer.isActive():
            self._timer.start() if is_active else self._timer.stop()
        self._stay_awake(is_active)
        self.published.emit(snapshots)
        if self._n_published % _ROOM_EVERY == 0 or not is_active:
            self._bridge.run(
                lambda: free_bytes_of(self._models_dir),
                lambda free_bytes: self.room_changed.emit(free_bytes, self._models_dir),
            )
        self._n_published += 1

    def add(self, ref: str) -> None:
        """Download what a reference names."""

        def work() -> None:
            self._sources.lend_token(ref)
            self._downloads.add(ref)

        self._then_publish(work)

    def pause(self, download_id: int) -> None:
        """Stop, and keep what has arrived."""
        self._then_publish(lambda: self._downloads.pause(download_id))

    def resume(self, download_id: int) -> None:
        """Go on."""
        self._then_publish(lambda: self._downloads.resume(download_id))

    def cancel(self, download_id: int) -> None:
        """Stop, and remove what has arrived; one that has ended leaves the list."""

        def work() -> None:
            statuses = {snapshot.id: snapshot.status for snapshot in self._downloads.snapshots()}
            if statuses.get(download_id) in ("done", "failed", "cancelled"):
                self._downloads.remove(download_id)
            else:
                self._downloads.cancel(download_id)

        self._then_publish(work)

    def pause_all(self) -> None:
        """Stop all, and keep what has arrived."""
        self._then_publish(self._downloads.pause_all)

    def resume_all(self) -> None:
        """Go on with all that are paused."""
        self._then_publish(self._downloads.resume_all)

    def move(self, download_id: int, place: DownloadPlace) -> None:
        """Change the order of what waits."""
        self._then_publish(lambda: self._downloads.move(download_id, place))

    def close(self) -> None:
        """Stop publishing."""
        self._timer.stop()
        self._stay_awake(False)

    def _then_publish(self, work: Callable[[], object]) -> None:
        self._bridge.run(work, lambda _result: self.publish(), self.failed.emit)

    def _on_ended(self, snapshot: DownloadSnapshot) -> None:
        self.publish()
        if snapshot.status == "done":
            self.finished.emit(snapshot)
        elif snapshot.status == "failed":
            self.stopped.emit(snapshot)

    def _stay_awake(self, is_wanted: bool) -> None:
        if is_wanted == (self._awake is not None):
            return
        if self._awake is not None:
            self._awake.set()
            self._awake = None
            return
        ended = self._awake = threading.Event()

        def hold() -> None:
            with keep_awake():
                ended.wait()

        self._bridge.run(hold)
