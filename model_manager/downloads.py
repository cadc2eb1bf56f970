"""All downloads: queued, running, paused, over; kept in a store, so that they go on after a restart."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from model_manager import failures
from model_manager.download import ACTIVE, Download
from model_manager.download_plan import from_plan, to_plan
from model_manager.errors import CannotWrite, FileInUse, ModelManagerError, TransferCancelled
from model_manager.filenames import safe_paths_in
from model_manager.pace import Pace
from model_manager.planner import Planner
from model_manager.references import parse
from model_manager.transfer import DEFAULT_OPTIONS, Transfer, TransferOptions
from model_manager.types import (
    DownloadFile,
    DownloadItem,
    DownloadLimits,
    DownloadPlace,
    DownloadSnapshot,
    DownloadStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_manager.download_store import DownloadRow, DownloadStore
    from model_manager.http import Http
    from model_manager.sources import FileSource

log = logging.getLogger(__name__)

_UNFINISHED: tuple[DownloadStatus, ...] = (*ACTIVE, "paused")
_CANCELLING = "cancelling"
"""In the store alone: files of a cancelled download are still to be removed, should the program end now."""


class Downloads:
    """Runs downloads, each on a thread of its own. All methods may be called from any thread.

    Files go to `models_dir/<owner>/<repo>/<file>`; all shards of a split model, and what lets it see, are one
    download. What a person has asked for is in the store before a method returns, so that it also holds if
    the program is killed the next moment.
    """

    def __init__(
        self,
        store: DownloadStore,
        hub: FileSource,
        http: Http,
        models_dir: Path,
        *,
        on_finished: Callable[[DownloadSnapshot], None] | None = None,
        options: TransferOptions = DEFAULT_OPTIONS,
        limits: Callable[[], DownloadLimits] = DownloadLimits,
        hub_cache_dir: Path | None = None,
    ) -> None:
        """Take up what the store has: what was running or queued when the program ended goes on.

        Args:
            store: See `DownloadStore`.
            hub: Resolves references.
            http: Moves bytes.
            models_dir: The folder that all files go below.
            on_finished: Told of each download that is done or failed, on its thread, before `wait` returns.
            options: For each transfer.
            limits: What they may take, asked again and again, from any thread; see `limits_changed`.
            hub_cache_dir: Where half-finished files of the Hub's own library may be; None looks nowhere.
        """
        self._store = store
        self._hub = hub
        self._http = http
        self._models_dir = models_dir
        self._on_finished = on_finished
        self._options = options
        self._planner = Planner(hub, options.backoff_s)
        self._limits = limits
        self._pace = Pace(lambda: limits().rate_bytes_per_s)
        self._hub_cache_dir = hub_cache_dir
        self._lock = threading.RLock()
        self._is_closed = False
        self._telling: list[threading.Thread] = []  # about the end of their download
        self._downloads: dict[int, Download] = {}
        for row in store.list():
            self._restore(row)
        self._start_queued()

    def add(self, ref: str) -> int:
        """Queue a download. What cannot be found is found out later and fails the download.

        Args:
            ref: See `references`.

        Returns:
            Its id; that of a running, queued or paused one of the same reference, which goes on.

        Raises:
            InvalidReference: This is no reference.
        """
        parsed = parse(ref, self._hub.endpoint)
        with self._lock:
            for download in self._downloads.values():
                if download.ref == parsed.ref and download.status in _UNFINISHED:
                    self.resume(download.id)
                    return download.id
            row = self._store.add(parsed.ref, parsed.ref, {})
            self._downloads[row.id] = Download(row.id, row.ref, row.name, "queued")
            self._start_queued()
            return row.id

    def pause(self, download_id: int) -> None:
        """Stop and keep what has arrived."""
        with self._lock:
            download = self._downloads[download_id]
            if download.is_running:
                download.stop("paused")
                if download.wish == "paused":
                    self._store.update(download.id, status="paused")
            elif download.status == "queued":
                self._settle(download, "paused")

    def resume(self, download_id: int) -> None:
        """Go on with one that is paused, failed or cancelled."""
        with self._lock:
            download = self._downloads[download_id]
            if download.is_running:
                download.stop_wish_withdrawn()
                if download.wish != "cancelled":
                    self._store.update(download.id, status="running")
            elif download.status in ("paused", "failed", "cancelled"):
                download.settled.clear()
                download.error = None
                self._set_status(download, "queued", error="")
                self._start_queued()

    def cancel(self, download_id: int) -> None:
        """Stop and remove what has arrived; a finished one stays as it is."""
        with self._lock:
            download = self._downloads[download_id]
            if download.is_running:
                download.stop("cancelled")
                self._store.update(download.id, status=_CANCELLING)
            elif download.status in ("queued", "paused", "failed"):
                self._discard_files(download)
                self._settle(download, "cancelled")

    def pause_all(self) -> None:
        """Pause what runs or waits."""
        with self._lock:
            # From the end, so that none begins because one before it has stopped.
            for download in reversed(self._downloads.values()):
                if download.status in ACTIVE:
                    self.pause(download.id)

    def resume_all(self) -> None:
        """Go on with all that are paused, in their order."""
        with self._lock:
            for download in self._downloads.values():
                if download.status == "paused" or download.wish == "paused":
                    self.resume(download.id)

    def move(self, download_id: int, place: DownloadPlace) -> None:
        """Change the order of the queue, which counts for what waits; what runs is not stopped.

        One that is over stays where it is.
        """
        with self._lock:
            queue = [download.id for download in self._downloads.values() if download.status in _UNFINISHED]
            if download_id not in queue:
                return
            index = queue.index(download_id)
            queue.pop(index)
            target = {"first": 0, "up": max(0, index - 1), "down": index + 1, "last": len(queue)}[place]
            queue.insert(target, download_id)
            in_order = iter(queue)
            order = [
                next(in_order) if download.status in _UNFINISHED else download.id
                for download in self._downloads.values()
            ]
            self._store.reorder(order)
            self._downloads = {number: self._downloads[number] for number in order}

    def limits_changed(self) -> None:
        """Begin what may be begun now."""
        self._start_queued()

    def remove(self, download_id: int) -> None:
        """Forget a download, after cancelling it if it is not over; the files of a finished one stay."""
        self.cancel(download_id)
        self.wait(download_id)
        with self._lock:
            if self._downloads.pop(download_id, None) is not None:
                self._store.delete(download_id)

    def snapshots(self) -> list[DownloadSnapshot]:
        """All downloads as they are now, in the order of the queue; cheap enough for a timer."""
        with self._lock:
            downloads = list(self._downloads.values())
        return [download.snapshot(position) for position, download in enumerate(downloads, start=1)]

    def wait(self, download_id: int, timeout_s: float | None = None) -> DownloadSnapshot:
        """Block until a download is done, failed, paused or cancelled, or the time is over."""
        download = self._downloads[download_id]
        is_settled = download.settled.wait(timeout_s)
        snapshot = self._snapshot(download)
        if not is_settled and snapshot.status in ("done", "failed"):
            # Who is told of its end has not taken it up: to leave now would be to lose it.
            return replace(snapshot, status="verifying")
        return snapshot

    def close(self) -> None:
        """Stop all, keep everything; the next program goes on."""
        with self._lock:
            self._is_closed = True
            threads = [download.thread for download in self._downloads.values() if download.thread]
            threads += self._telling
            for download in self._downloads.values():
                if download.is_running:
                    download.stop("queued")
            over = [other for other in self._downloads.values() if other.status in ("done", "failed")]
        for thread in threads:
            thread.join()
        for other in over:  # whoever is told of it is still at it
            other.settled.wait()

    # --- the life of one download ---------------------------------------------------------------------------

    def _restore(self, row: DownloadRow) -> None:
        was_cancelling = row.status == _CANCELLING
        status = cast("DownloadStatus", "cancelled" if was_cancelling else row.status)
        if status in ACTIVE:
            status = "queued"
        download = Download(row.id, row.ref, row.name, status)
        planned = from_plan(row.plan)
        if planned is not None:
            item, download.finished_sha256 = planned
            download.plan(item, self._models_dir)
            download.count_files()
        if row.error and status == "failed":
            download.error = failures.decode(row.error)
        if was_cancelling:
            self._discard_files(download)
        if status not in ACTIVE:
            download.settled.set()
        self._downloads[row.id] = download
        if status != row.status:
            self._store.update(row.id, status=status)

    def _start_queued(self) -> None:
        with self._lock:
            n_running = sum(download.is_running for download in self._downloads.values())
            for download in self._downloads.values():
                if n_running >= max(1, self._limits().n_files) or self._is_closed:
                    return
                if download.status == "queued":
                    n_running += 1
                    self._set_status(download, "running")
                    download.start(self._run)

    def _run(self, download: Download) -> None:
        """The thread of one download."""
        status: DownloadStatus = "failed"
        try:
            self._prepare(download)
            self._fetch(download)
            status = "done"
        except TransferCancelled:
            status = download.wish or "paused"
        except ModelManagerError as error:
            download.error = error
        except OSError as error:
            path = self._models_dir / str(error.filename or "")
            download.error = CannotWrite(path, error.strerror or str(error))
        finally:
            self._end(download, status)

    def _prepare(self, download: Download) -> None:
        if download.item is None:
            self._take(download, self._planner.item_of(download))
        elif (moved := self._planner.where_now(download, download.item)) is not None:
            self._take(download, moved)
        assert download.item is not None
        self._check_names(download.item)  # each time anew: somebody may have put a link there since the last
        with self._lock:
            for other in self._downloads.values():
                if other is not download and other.is_running and set(other.paths) & set(download.paths):
                    raise FileInUse(download.paths[0])
        if download.wish is not None:
            raise TransferCancelled

    def _check_names(self, item: DownloadItem) -> None:
        safe_paths_in(self._models_dir, [file.path for file in item.files])

    def _take(self, download: Download, item: DownloadItem) -> None:
        self._check_names(item)
        with self._lock:
            download.plan(item, self._models_dir)
            download.count_files()
            self._save_plan(download)

    def _fetch(self, download: Download) -> None:
        item = download.item
        assert item is not None
        for index, (file, path) in enumerate(zip(item.files, download.paths, strict=True)):
            if index < len(download.finished_sha256) and path.is_file():
                continue
            transfer = Transfer(
                self._http,
                file.url,
                path,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                token=self._hub.token_for(file.url),
                options=self._options_for(download, index),
                pace=self._pace,
                hub_cache_dir=self._hub_cache_dir,
            )
            self._allow(file)
            download.begin(index, transfer)
            transfer.run(lambda: download.wish is not None)
            with self._lock:
                download.finish(index, transfer)
                self._save_plan(download)

    def _allow(self, file: DownloadFile) -> None:
        """A planned address was named by a person, or by the hub when the plan was made."""
        if self._hub.token_for(file.url) is None and not file.url.startswith(f"{self._hub.endpoint}/"):
            self._http.allow(file.url, is_file=True)

    def _options_for(self, download: Download, index: int) -> TransferOptions:
        """The usual, with room kept for what else is on its way to this disk."""
        with self._lock:
            promised_bytes = sum(
                other.missing_bytes
                for other in self._downloads.values()
                if other is not download and other.is_running
            )
            promised_bytes += download.missing_bytes_after(index)
        base = self._options
        lanes = replace(base.lanes, n_connections=max(1, self._limits().n_connections))
        return replace(base, reserve_bytes=base.reserve_bytes + promised_bytes, lanes=lanes)

    def _end(self, download: Download, status: DownloadStatus) -> None:
        with self._lock:
            self._telling.append(threading.current_thread())
            download.ended()
            if status == "cancelled":
                self._discard_files(download)
            error = failures.encode(download.error) if download.error else ""
            self._set_status(download, status, error=error)
        if status in ("done", "failed") and self._on_finished is not None:
            try:
                self._on_finished(self._snapshot(download))
            except Exception:
                log.exception("a listener failed for download %d", download.id)
        with self._lock:
            # "queued" again: paused and resumed before the pause took effect, or the program ends.
            if download.status != "queued" or self._is_closed:
                download.settled.set()
            self._telling.remove(threading.current_thread())
            self._start_queued()

    def _snapshot(self, download: Download) -> DownloadSnapshot:
        with self._lock:
            order = list(self._downloads)
            position = order.index(download.id) + 1 if download.id in self._downloads else 0
        return download.snapshot(position)

    def _settle(self, download: Download, status: DownloadStatus) -> None:
        self._set_status(download, status)
        download.settled.set()
        self._start_queued()

    def _set_status(self, download: Download, status: DownloadStatus, error: str | None = None) -> None:
        download.status = status
        self._store.update(download.id, status=status, error=error)

    def _save_plan(self, download: Download) -> None:
        assert download.item is not None
        self._store.update(download.id, plan=to_plan(download.item, download.finished_sha256))

    def _discard_files(self, download: Download) -> None:
        try:
            download.discard_files(self._models_dir)
        except CannotWrite as error:
            log.info("files of a cancelled download stay: %s", error)
