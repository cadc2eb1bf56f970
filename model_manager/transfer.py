"""One resumable file transfer into the models folder; see `partial` for what lies on the disk meanwhile.

Several threads share the work. A reader asks the server, writes what arrives in its place and hashes it;
where it is slow, more connections fetch other ranges (see `lanes`). The thread that called `run` hashes what
an earlier run has left and what others have brought, saves the sidecar, and watches: the caller's wish to
stop, silent servers, the readers' ends. So stopping is prompt in every phase, and a resumed download is
hashed while the rest arrives.

Every attempt asks the original URL again, because the storage address that a hub hands out expires.

Source: docs/decisions, "own the byte loop", "several connections".
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from model_manager.adoption import copy_beginning, find_beginning
from model_manager.answer import Restart, Retry, Wanted
from model_manager.backoff import Backoff, Waiting, waits_for
from model_manager.digest import sha256_of
from model_manager.errors import (
    FileInUse,
    HashMismatch,
    ModelManagerError,
    NotEnoughDisk,
    RemoteFileChanged,
    SizeMismatch,
    TransferCancelled,
)
from model_manager.follower import HASH_BLOCK_BYTES, Follower
from model_manager.lanes import LaneOptions, Lanes
from model_manager.pace import UNLIMITED, Pace
from model_manager.partial import PartialFile, without_query
from model_manager.reader import Reader
from model_manager.sidecar import Origin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_manager.http import Http

log = logging.getLogger(__name__)

POLL_S = 0.02
MAX_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """How patient a transfer is, and what it leaves free.

    Attributes:
        timeout_s: Silence after which an attempt is given up.
        max_retries: Attempts in a row that bring no byte before the last error is raised; while the network
            is away there is no limit.
        backoff_s: The first wait between attempts; doubles up to a minute.
        reserve_bytes: Free space that must remain on the disk for the rest of the system.
        lanes: When and how several connections share one file.
    """

    timeout_s: float = 30.0
    max_retries: int = 8
    backoff_s: float = 1.0
    reserve_bytes: int = 1 << 30
    lanes: LaneOptions = field(default_factory=LaneOptions)


DEFAULT_OPTIONS = TransferOptions()


class Transfer:
    """Downloads one file; safe to stop at any moment, kill -9 included, and to start again later.

    Runs on the thread that calls `run`. The attributes may be read from any thread.

    Attributes:
        size_bytes: Expected size; None while the server has not told us.
        sha256: Expected, or after `run` the actual, hash of the file.
        is_verifying: All bytes are there and the rest of them is being hashed.
        n_connections: How many bring bytes at the moment.
        waiting: For what it waits between two attempts: the network, the server, or nothing.
        retry_at: When that ends, by `time.monotonic`; None while nothing is waited for.
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
        pace: Pace = UNLIMITED,
        hub_cache_dir: Path | None = None,
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
            pace: Limits the rate, of this and of all other transfers that have the same one.
            hub_cache_dir: Cache of the Hub's library, in which the beginning of the file may lie; None looks
                nowhere.
        """
        self.size_bytes = size_bytes
        self.sha256 = sha256
        self.is_verifying = False
        self.n_connections = 0
        self.waiting: Waiting | None = None
        self.retry_at: float | None = None
        self._http = http
        self._url = url
        self._path = path
        self._token = token
        self._options = options
        self._pace = pace
        self._hub_cache_dir = hub_cache_dir
        self._partial = PartialFile(path)
        self._follower: Follower | None = None
        self._finished_bytes: int | None = None

    @property
    def received_bytes(self) -> int:
        """Bytes on disk, including those of earlier runs."""
        return self._partial.held_bytes if self._finished_bytes is None else self._finished_bytes

    @property
    def verified_bytes(self) -> int:
        """Bytes that the hash has seen."""
        if self._finished_bytes is not None:
            return self._finished_bytes
        return 0 if self._follower is None else self._follower.hashed_bytes

    def run(self, cancelled: Callable[[], bool]) -> Path:
        """Fetch the missing bytes, verify, rename.

        Args:
            cancelled: Asked at least every 100 ms, from this thread.

        Returns:
            Final path of the verified file.

        Raises:
            TransferCancelled: `cancelled()` was true; the partial file is kept.
            NotEnoughDisk: Free space is below the missing bytes plus the reserve; nothing was written.
            FileInUse: Another program is fetching this very file.
            CannotWrite: The system refused, as `DiskFull` for example; what is on disk is kept.
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
            follower = self._follower = Follower(self._partial)
            try:
                self._adopt(follower, cancelled)
                while True:
                    self._fetch(follower, cancelled)
                    if self._is_right(follower, cancelled):
                        return self._finish(follower)
            except ModelManagerError:
                if not self._partial.held_bytes:
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
        with contextlib.suppress(FileInUse):
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

    def _adopt(self, follower: Follower, cancelled: Callable[[], bool]) -> None:
        """Begin with what the Hub's own library has left, if there is anything."""
        known = self.sha256 is not None and self.size_bytes is not None
        if self._hub_cache_dir is None or not known or self._partial.held_bytes:
            return
        assert self.sha256 is not None
        assert self.size_bytes is not None
        beginning = find_beginning(self._hub_cache_dir, self.sha256, self.size_bytes)
        if beginning is not None:
            self._check_disk()
            origin = Origin(without_query(self._url), None, self.sha256, self.size_bytes)
            self._partial.describe(origin)
            copy_beginning(beginning, self._partial, follower, cancelled)

    def _fetch(self, follower: Follower, cancelled: Callable[[], bool]) -> None:
        n_restarts = 0
        backoff = Backoff(self._options.backoff_s, self._options.max_retries)
        while not self._has_all():
            self._check_disk()
            held_bytes = self._partial.held_bytes
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
                if self._partial.held_bytes > held_bytes:
                    backoff.reset()
                delay_s = backoff.next_s(failure.error, failure.after_s)
                if delay_s is None:
                    raise failure.error from failure
                log.info("attempt %d at %s failed: %s", backoff.n_failures, self._partial.path, failure.error)
                self.waiting = waits_for(failure.error)
                self._pause(delay_s, follower, cancelled)

    def _attempt(self, follower: Follower, cancelled: Callable[[], bool]) -> None:
        """One request of the original address and its body, and what further connections bring meanwhile.

        Raises:
            Retry: It failed in a way that may pass.
            Restart: What is held is not of the file that the server has.
            ModelManagerError: It failed for good.
        """
        partial, timeout_s = self._partial, self._options.timeout_s
        wanted = Wanted(
            self._url,
            partial.origin,
            partial.size_bytes,
            partial.next_held_bytes,
            self.sha256,
            self.size_bytes,
            self._token,
        )
        reader = Reader(self._http, wanted, partial, timeout_s, self._accept, follower, self._pace)
        lanes = Lanes(
            self._http,
            partial,
            follower,
            self._pace,
            timeout_s,
            self._options.lanes,
            self._url,
            self._token,
        )
        reader.start()
        try:
            while not (reader.done.is_set() and not lanes.n_alive):
                if cancelled():
                    raise TransferCancelled
                reader.fail_if_silent()
                if reader.failure is not None and not _may_pass(reader.failure):
                    raise reader.failure
                lanes.tend(reader)
                self.n_connections = lanes.n_alive + (not reader.done.is_set())
                partial.save_if_due()
                if not follower.advance(at_least_bytes=HASH_BLOCK_BYTES):
                    reader.done.wait(POLL_S) if not reader.done.is_set() else time.sleep(POLL_S)
            lanes.reap()
        finally:
            self.n_connections = 0
            reader.stop()
            lanes.stop()
            if lanes.refuses_ranges:
                alone = replace(self._options.lanes, n_connections=1)
                self._options = replace(self._options, lanes=alone)
        self._judge(reader, lanes)

    def _judge(self, reader: Reader, lanes: Lanes) -> None:
        """Whether all has arrived now that nobody brings more.

        Raises:
            Retry, Restart, ModelManagerError: It has not, and why.
        """
        if self._has_all():
            return
        failure = reader.failure or lanes.failure
        if failure is not None:
            raise failure
        if self.size_bytes is not None:
            received_bytes = self._partial.held_bytes
            raise Retry(SizeMismatch(without_query(self._url), self.size_bytes, received_bytes))

    def _accept(self, origin: Origin, promised: int | None) -> None:
        """Take over what the server has said of the file, before a byte is written. Reader's thread."""
        size_bytes = origin.size_bytes if origin.size_bytes is not None else promised
        if self.size_bytes is None and size_bytes is not None:
            self.size_bytes = size_bytes
            self._check_disk()
        self.sha256 = origin.sha256
        self._partial.describe(Origin(origin.url, origin.etag, origin.sha256, size_bytes))

    def _pause(self, delay_s: float, follower: Follower, cancelled: Callable[[], bool]) -> None:
        self.retry_at = until = time.monotonic() + delay_s
        try:
            while time.monotonic() < until:
                if cancelled():
                    raise TransferCancelled
                if not follower.advance():
                    time.sleep(min(POLL_S, delay_s))
        finally:
            self.waiting = self.retry_at = None

    def _is_right(self, follower: Follower, cancelled: Callable[[], bool]) -> bool:
        """Hash what is left of the file; False if all begins anew, without another program's bytes.

        Raises:
            TransferCancelled: `cancelled()` was true.
            SizeMismatch, HashMismatch: It is not the file that was meant.
        """
        self.is_verifying = True
        while follower.advance():
            if cancelled():
                raise TransferCancelled
        actual_sha256, size_bytes = follower.hexdigest(), self._partial.size_bytes
        if follower.hashed_bytes != size_bytes or self.size_bytes not in (None, size_bytes):
            raise SizeMismatch(without_query(self._url), self.size_bytes or size_bytes, follower.hashed_bytes)
        if self.sha256 in (None, actual_sha256):
            return True
        if self._partial.adopted_bytes:
            log.info("%s began with bytes of another program that were wrong", self._partial.path)
            self.is_verifying = False
            self._partial.restart()
            return False
        self._partial.discard()
        raise HashMismatch(self._path, self.sha256 or "", actual_sha256)

    def _finish(self, follower: Follower) -> Path:
        follower.close()
        self.sha256 = follower.hexdigest()
        size_bytes = self.size_bytes = self._partial.size_bytes
        path = self._partial.commit()
        self._finished_bytes = size_bytes
        return path

    def _has_all(self) -> bool:
        return self.size_bytes is not None and self._partial.size_bytes == self.size_bytes

    def _check_disk(self) -> None:
        if self.size_bytes is None:
            return
        needed_bytes = self.size_bytes - self._partial.held_bytes + self._options.reserve_bytes
        free_bytes = shutil.disk_usage(self._path.parent).free
        if free_bytes < needed_bytes:
            raise NotEnoughDisk(needed_bytes, free_bytes, self._path.parent)


def _may_pass(failure: Exception) -> bool:
    """Whether other connections may go on after one has failed so."""
    return isinstance(failure, Retry)
