"""What a download's reference means, however long it takes to find out."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from model_manager.backoff import Backoff, Waiting, waits_for
from model_manager.errors import ModelManagerError, NetworkAway, TransferCancelled

if TYPE_CHECKING:
    from model_manager.download import Download
    from model_manager.sources import FileSource
    from model_manager.types import DownloadFile, DownloadItem

log = logging.getLogger(__name__)

POLL_S = 0.02


class Planner:
    """Asks the hub, on the thread of the download."""

    def __init__(self, hub: FileSource, backoff_s: float) -> None:
        """Prepare.

        Args:
            hub: Resolves references.
            backoff_s: The first wait while the network is away; doubles up to a minute.
        """
        self._hub = hub
        self._backoff_s = backoff_s

    def item_of(self, download: Download) -> DownloadItem:
        """What its reference means; waits for the network as long as it is away.

        Raises:
            TransferCancelled: The download is to stop.
            ModelManagerError: As `Hub.resolve`.
        """
        backoff = Backoff(self._backoff_s, 0)
        while True:
            try:
                return self._hub.resolve(download.ref)
            except NetworkAway as error:
                delay_s = backoff.next_s(error)
                assert delay_s is not None
                _wait(download, delay_s, waits_for(error))

    def where_now(self, download: Download, item: DownloadItem) -> DownloadItem | None:
        """The same files at the hub's present address, should that have been changed since; else None."""
        is_address = download.ref.startswith(("https://", "http://"))
        if is_address or all(self._hub.holds(file.url) for file in item.files):
            return None
        try:
            now = self._hub.resolve(download.ref)
        except ModelManagerError as error:
            log.info("download %d keeps its addresses: %s", download.id, error)
            return None
        is_same = [_identity(file) for file in now.files] == [_identity(file) for file in item.files]
        return now if is_same else None


def _wait(download: Download, delay_s: float, what: Waiting) -> None:
    until = time.monotonic() + delay_s
    download.waiting, download.retry_at = what, until
    while time.monotonic() < until:
        if download.wish is not None:
            raise TransferCancelled
        time.sleep(min(POLL_S, delay_s))
    download.waiting = download.retry_at = None


def _identity(file: DownloadFile) -> tuple[str, int | None, str | None]:
    return file.path, file.size_bytes, file.sha256
