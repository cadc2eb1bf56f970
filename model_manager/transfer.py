"""One resumable file transfer into the models folder; see `partial` for what lies on the disk meanwhile.

Two threads share the work. A reader asks the server, appends what arrives and hashes it; the thread that
called `run` hashes what an earlier run has left, saves the sidecar, and watches: the caller's wish to stop, a
silent server, the reader's end. So stopping is prompt in every phase, and a resumed download is hashed while
the rest arrives.

Every attempt asks the original URL again, because the storage address that a hub hands out expires.

Source: docs/decisions, "own the byte loop".
"""

from __future__ import annotations

import logging
import random
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_manager.answer import Restart, Retry, Wanted
from model_manager.digest import sha256_of
from model_manager.errors import (
    HashMismatch,
    ModelManagerError,
    NotEnoughDisk,
    RemoteFileChanged,
    SizeMismatch,
    TransferCancelled,
    TransferStalled,
)
from model_manager.partial import HASH_BLOCK_BYTES, Follower, Origin, PartialFile, without_query
from model_manager.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_manager.http import Http

log = logging.getLogger(__name__)

POLL_S = 0.02
MAX_BACKOFF_S = 60.0
MAX_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """How patient a transfer is, and what it leaves free.

    Attributes:
        timeout_s: Silence after which an attempt is given up.
        max_retries: Attempts in a row that bring no byte before the last error is raised.
        backoff_s: The first wait between attempts; doubles up to a minute.
        reserve_bytes: Free space that must remain on the disk for the rest of the system.
    """

    timeout_s: float = 30.0
    max_retries: int = 8
    backoff_s: float = 1.0
    reserve_bytes: int = 1 << 30


DEFAULT_OPTIONS = TransferOptions()


class Transfer:
    """Downloads one file; safe to stop at any moment, kill -9 included, and to start again later.

    Runs on the thread that calls `run`. The attributes may be read from any thread.

    Attributes:
        size_bytes: Expected size; None while the server has not told us.
        sha256: Expected, or after `run` the actual, hash of the file.
        is_verifying: All bytes are there and the rest of them is being hashed.
    """

    def __init__(
        self,
        http: Http,
        url: str,
        path: Path,
        *,
        size_bytes: int | None = None,
        sha256: str | None = None,
        token: str | None = None,
        options: TransferOptions = DEFAULT_OPTIONS,
    ) -> None:
        """Prepare; nothing is asked or written yet.

        Args:
            http: The door; the URL's host must be allowed.
            url: The file.
            path: Its final name.
            size_bytes: What it must measure; None takes the server's word.
            sha256: What it must hash to; None takes the server's word if it gives one, else nothing is
                compared.
            token: For the URL's own host; never leaves it.
            options: Patience and reserve.
        """
        self.size_bytes = size_bytes
        self.sha256 = sha256
        self.is_verifying = False
        self._http = http
        self._url = url
        self._path = path
        self._token = token
        self._options = options
        self._partial = PartialFile(path)
        self._finished_bytes: int | None = None

    @property
    def received_bytes(self) -> int:
        """Bytes on disk, including those of earlier runs."""
        return self._partial.size_bytes if self._finished_bytes is None else self._finished_bytes

    def run(self, cancelled: Callable[[], bool]) -> Path:
        """Fetch the missing bytes, verify, rename.

        Args:
            cancelled: Asked at least every 100 ms, from this thread.

        Returns:
            Final path of the verified file.

        Raises:
            TransferCancelled: `cancelled()` was true; the partial file is kept.
            NotEnoughDisk: Free space is below the missing bytes plus the reserve; nothing was written.
            CannotWrite: The system refused; what is on disk is kept.
            AccessDenied, NotOnHub, HubError, Offline, HostRefused: The server, or our own door, said no.
            RateLimited, HubUnavailable, TransferStalled, SizeMismatch: So after all retries.
            RemoteFileChanged: The server has another file now than was planned; what is on disk is kept.
            HashMismatch: All bytes arrived but the digest differs; the partial file is removed.
        """
        if self._is_there_already(cancelled):
            return self._path
        self._partial.open()
        try:
            if self._partial.origin is not None:
                self._reconcile()
            follower = Follower(self._partial)
            try:
                self._fetch(follower, cancelled)
                return self._finish(follower, cancelled)
            except ModelManagerError:
                if not self._partial.size_bytes:
                    self._partial.discard()
                raise
            finally:
                follower.close()
        finally:
            self._partial.close()

    def _is_there_already(self, cancelled: Callable[[], bool]) -> bool:
        """Whether an earlier run, or somebody else, has put the right file in place."""
        if self.sha256 is None or not self._path.is_file():
            return False
        size_bytes = self._path.stat().st_size
        if (
            self.size_bytes not in (None, size_bytes)
            or sha256_of(self._path, cancelled=cancelled) != self.sha256
        ):
            return False
        self._partial.discard()
        self._finished_bytes = size_bytes
        return True

    def _reconcile(self) -> None:
        """Drop bytes that are of another file than the one asked for now."""
        origin = self._partial.origin
        assert origin is not None
        if self.sha256 is None:
            self.sha256 = origin.sha256
        if self.size_bytes is None:
            self.size_bytes = origin.size_bytes
        is_same = (origin.sha256, origin.size_bytes) == (self.sha256, self.size_bytes)
        if not is_same or (self.sha256 is None and origin.url != without_query(self._url)):
            log.info("%s held bytes of another version and begins anew", self._partial.path)
            self._partial.restart()

    def _fetch(self, follower: Follower, cancelled: Callable[[], bool]) -> None:
        n_failures = n_restarts = 0
        while not self._has_all():
            self._check_disk()
            held_bytes = self._partial.size_bytes
            try:
                self._attempt(follower, cancelled)
                return
            except Restart as wish:
                n_restarts += 1
                log.info("%s begins anew: %s", self._partial.path, wish)
                if n_restarts > MAX_RESTARTS:
                    raise RemoteFileChanged(without_query(self._url)) from wish
                self._partial.restart()
            except Retry as failure:
                n_failures = 1 if self._partial.size_bytes > held_bytes else n_failures + 1
                if n_failures > self._options.max_retries:
                    raise failure.error from failure
                log.info("attempt %d at %s failed: %s", n_failures, self._partial.path, failure.error)
                self._pause(self._delay_s(n_failures, failure), follower, cancelled)

    def _attempt(self, follower: Follower, cancelled: Callable[[], bool]) -> None:
        """One request and its body.

        Raises:
            Retry: It failed in a way that may pass.
            Restart: What is held is not of the file that the server has.
            ModelManagerError: It failed for good.
        """
        wanted = Wanted(
            self._url,
            self._partial.origin,
            self._partial.size_bytes,
            self.sha256,
            self.size_bytes,
            self._token,
        )
        reader = Reader(self._http, wanted, self._partial, self._options.timeout_s, self._accept, follower)
        reader.start()
        try:
            while not reader.done.is_set():
                if cancelled():
                    raise TransferCancelled
                if reader.silent_s > self._options.timeout_s:
                    raise Retry(TransferStalled(without_query(self._url), self._options.timeout_s))
                self._partial.save_if_due()
                if not follower.advance(at_least_bytes=HASH_BLOCK_BYTES):
                    reader.done.wait(POLL_S)
        finally:
            reader.stop()
        if reader.failure is not None:
            raise reader.failure
        if self.size_bytes is not None and not self._has_all():
            raise Retry(SizeMismatch(without_query(self._url), self.size_bytes, self._partial.size_bytes))

    def _accept(self, origin: Origin, promised: int | None) -> None:
        """Take over what the server has said of the file, before a byte is written. Reader's thread."""
        size_bytes = origin.size_bytes if origin.size_bytes is not None else promised
        if self.size_bytes is None and size_bytes is not None:
            self.size_bytes = size_bytes
            self._check_disk()
        self.sha256 = origin.sha256
        self._partial.describe(Origin(origin.url, origin.etag, origin.sha256, size_bytes))

    def _pause(self, delay_s: float, follower: Follower, cancelled: Callable[[], bool]) -> None:
        until = time.monotonic() + delay_s
        while time.monotonic() < until:
            if cancelled():
                raise TransferCancelled
            if not follower.advance():
                time.sleep(min(POLL_S, delay_s))

    def _delay_s(self, n_failures: int, failure: Retry) -> float:
        delay_s = min(MAX_BACKOFF_S, self._options.backoff_s * 2.0 ** (n_failures - 1)) * random.uniform(
            0.5, 1.0
        )
        return max(delay_s, failure.after_s)

    def _finish(self, follower: Follower, cancelled: Callable[[], bool]) -> Path:
        self.is_verifying = True
        while follower.advance():
            if cancelled():
                raise TransferCancelled
        follower.close()
        actual_sha256, size_bytes = follower.hexdigest(), self._partial.size_bytes
        if follower.hashed_bytes != size_bytes or self.size_bytes not in (None, size_bytes):
            raise SizeMismatch(without_query(self._url), self.size_bytes or size_bytes, follower.hashed_bytes)
        if self.sha256 not in (None, actual_sha256):
            self._partial.discard()
            raise HashMismatch(self._path, self.sha256 or "", actual_sha256)
        self.sha256 = actual_sha256
        self.size_bytes = size_bytes
        path = self._partial.commit()
        self._finished_bytes = size_bytes
        return path

    def _has_all(self) -> bool:
        return self.size_bytes is not None and self._partial.size_bytes == self.size_bytes

    def _check_disk(self) -> None:
        if self.size_bytes is None:
            return
        needed_bytes = self.size_bytes - self._partial.size_bytes + self._options.reserve_bytes
        free_bytes = shutil.disk_usage(self._path.parent).free
        if free_bytes < needed_bytes:
            raise NotEnoughDisk(needed_bytes, free_bytes, self._path.parent)
