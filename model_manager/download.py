"""One download as its manager holds it: what it means, how far it is, and how fast."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from model_manager.partial import PartialFile
from model_manager.types import DownloadSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_manager.backoff import Waiting
    from model_manager.errors import ModelManagerError
    from model_manager.transfer import Transfer
    from model_manager.types import DownloadItem, DownloadStatus

ACTIVE: tuple[DownloadStatus, ...] = ("queued", "running", "verifying")
RATE_WINDOW_S = 5.0


class Download:
    """State of one download. The manager's lock guards everything but the counters that snapshots read.

    Attributes:
        item: None until the reference was resolved.
        paths: Final paths, in the order of the item's files.
        wish: What it shall be after it was stopped; None while nobody asked.
        waiting: What its thread waits for before there is a transfer; see `DownloadSnapshot`.
        retry_at: When that ends, by `time.monotonic`.
        finished_sha256: Of the files that are in place, in order.
        settled: Set while it is not queued, running or verifying.
    """

    def __init__(self, download_id: int, ref: str, name: str, status: DownloadStatus) -> None:
        self.id = download_id
        self.ref = ref
        self.name = name
        self.status = status
        self.item: DownloadItem | None = None
        self.paths: tuple[Path, ...] = ()
        self.error: ModelManagerError | None = None
        self.wish: DownloadStatus | None = None
        self.waiting: Waiting | None = None
        self.retry_at: float | None = None
        self.finished_sha256: list[str] = []
        self.settled = threading.Event()
        self.thread: threading.Thread | None = None
        self._transfer: Transfer | None = None
        self._index = 0
        self._file_bytes: list[int] = []
        self._sizes: list[int | None] = []
        self._samples: deque[tuple[float, int]] = deque()

    @property
    def is_running(self) -> bool:
        """Whether a thread works on it."""
        return self.thread is not None

    @property
    def missing_bytes(self) -> int:
        """Of all its files; what has no known size counts as nothing."""
        return self.missing_bytes_after(-1)

    def missing_bytes_after(self, index: int) -> int:
        """Of the files behind the one at `index`."""
        received = self._received()
        pairs = list(zip(self._sizes, received, strict=True))[index + 1 :]
        return sum(max(0, size - got) for size, got in pairs if size is not None)

    def plan(self, item: DownloadItem, models_dir: Path) -> None:
        """Take over what the reference turned out to mean."""
        self.item = item
        self.name = item.name
        self.paths = tuple(models_dir / file.path for file in item.files)
        self._file_bytes = [0] * len(item.files)
        self._sizes = [file.size_bytes for file in item.files]

    def count_files(self) -> None:
        """Learn from the disk how much has arrived; for a download that is taken up again."""
        for index, path in enumerate(self.paths):
            if index >= len(self.finished_sha256):
                self._file_bytes[index] = PartialFile(path).received_on_disk()
            elif path.is_file():
                self._file_bytes[index] = path.stat().st_size

    def start(self, run: Callable[[Download], None]) -> None:
        """Work on it, on a thread."""
        self.wish = None
        self._samples.clear()
        self.thread = threading.Thread(target=run, args=(self,), name=f"download {self.id}", daemon=True)
        self.thread.start()

    def stop(self, wish: DownloadStatus) -> None:
        """Ask the thread to end. A pause takes back no cancel, and the program's end neither of them."""
        if self.wish != "cancelled" and not (self.wish == "paused" and wish == "queued"):
            self.wish = wish

    def stop_wish_withdrawn(self) -> None:
        """Go on after all; a thread that has begun to end is followed by another."""
        if self.wish == "paused":
            self.wish = "queued"

    def begin(self, index: int, transfer: Transfer) -> None:
        """One file's transfer begins."""
        self._index = index
        self._transfer = transfer

    def finish(self, index: int, transfer: Transfer) -> None:
        """One file is in place."""
        self._file_bytes[index] = transfer.received_bytes
        self._sizes[index] = transfer.received_bytes
        self.finished_sha256[index:] = [transfer.sha256 or ""]
        self._transfer = None

    def ended(self) -> None:
        """The thread has done its work."""
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            self._file_bytes[self._index] = transfer.received_bytes
            self._sizes[self._index] = transfer.size_bytes
        self.thread = None
        self.waiting = self.retry_at = None
        self._samples.clear()

    def discard_files(self, models_dir: Path) -> None:
        """Remove what has arrived, and the folders that this empties.

        Raises:
            CannotWrite: The system refuses.
        """
        for index, path in enumerate(self.paths):
            PartialFile(path).discard()
            if index < len(self.finished_sha256):
                path.unlink(missing_ok=True)
            for folder in path.relative_to(models_dir).parents:
                try:
                    if folder.parts:
                        (models_dir / folder).rmdir()
                except OSError:  # not empty, or not there
                    break
        self.finished_sha256 = []
        self._file_bytes = [0] * len(self.paths)

    def snapshot(self, position: int = 0) -> DownloadSnapshot:
        """How it is now, at this place of the queue.

        The rate is that between the snapshots of the last five seconds.
        """
        transfer = self._transfer
        received_bytes = sum(self._received())
        sizes = list(self._sizes)
        if transfer is not None:
            sizes[self._index] = transfer.size_bytes
        size_bytes = None if not sizes or None in sizes else sum(size or 0 for size in sizes)
        is_verifying = transfer is not None and transfer.is_verifying
        rate = self._rate(received_bytes) if transfer is not None else None
        is_done = self.status == "done" and len(self.finished_sha256) == len(self.paths) > 0
        return DownloadSnapshot(
            id=self.id,
            ref=self.ref,
            name=self.name,
            status="verifying" if is_verifying and self.status == "running" else self.status,
            received_bytes=received_bytes,
            size_bytes=size_bytes,
            rate_bytes_per_s=rate,
            eta_s=(size_bytes - received_bytes) / rate if size_bytes is not None and rate else None,
            error=self.error,
            path=self.paths[0] if is_done else None,
            sha256=self.finished_sha256[0] if is_done else None,
            files=tuple(zip(self.paths, self.finished_sha256, strict=True)) if is_done else (),
            verified_bytes=min(received_bytes, self._verified()),
            position=position,
            n_files=len(self.paths),
            n_connections=0 if transfer is None else transfer.n_connections,
            waiting=self.waiting if transfer is None else transfer.waiting,
            retry_in_s=_until(self.retry_at if transfer is None else transfer.retry_at),
        )

    def _verified(self) -> int:
        transfer = self._transfer
        finished_bytes = sum(self._file_bytes[: len(self.finished_sha256)])
        return finished_bytes + (0 if transfer is None else transfer.verified_bytes)

    def _received(self) -> list[int]:
        transfer, received = self._transfer, list(self._file_bytes)
        if transfer is not None:
            received[self._index] = transfer.received_bytes
        return received

    def _rate(self, received_bytes: int) -> float | None:
        now = time.monotonic()
        if self._samples and received_bytes < self._samples[-1][1]:
            self._samples.clear()  # it began anew
        self._samples.append((now, received_bytes))
        while self._samples[0][0] < now - RATE_WINDOW_S and len(self._samples) > 2:
            self._samples.popleft()
        then, earlier_bytes = self._samples[0]
        if now - then < 0.2 or received_bytes == earlier_bytes:
            return None
        return (received_bytes - earlier_bytes) / (now - then)


def _until(moment: float | None) -> float | None:
    return None if moment is None else max(0.0, moment - time.monotonic())
