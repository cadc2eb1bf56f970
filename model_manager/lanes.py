"""More connections for one transfer, where one alone is slow: each fetches ranges of the file.

A second one is tried when the first has shown that it is not fast by itself; the others follow when that one
has brought a byte of the right range. A server that ignores ranges, or lies about them, gets no more: the
first connection goes on alone. What another connection has not begun is taken over by who comes to it.

Source: docs/decisions, "several connections".
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_manager.answer import Retry, bare_etag, retry_after_s
from model_manager.errors import (
    AccessDenied,
    HubFailing,
    HubUnavailable,
    RateLimited,
    RemoteFileChanged,
    SizeMismatch,
)
from model_manager.header_numbers import CONTENT_RANGE
from model_manager.hosts import is_same_origin
from model_manager.partial import without_query
from model_manager.stream import Stream

if TYPE_CHECKING:
    from model_manager.follower import Follower
    from model_manager.http import Http, Response
    from model_manager.pace import Pace
    from model_manager.partial import PartialFile
    from model_manager.pieces import Piece
    from model_manager.reader import Place, Reader

log = logging.getLogger(__name__)


class NoRanges(Exception):
    """The server does not send the ranges that it is asked for."""


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """When more connections are opened, and what each asks for.

    Attributes:
        n_connections: At most so many for one file; 1 opens no more.
        chunk_bytes: Of one request.
        from_bytes: Less than this left to fetch is left to one connection.
        enough_bytes_per_s: A connection that is this fast needs no help.
        look_s: How long the first connection is watched before another is tried.
    """

    n_connections: int = 4
    chunk_bytes: int = 32 << 20
    from_bytes: int = 64 << 20
    enough_bytes_per_s: float = 150e6
    look_s: float = 0.5


class Lane(Stream):
    """One more connection: fetches a range after the other, as long as there is one that pays.

    Attributes:
        is_proven: It has brought a byte of a range that it asked for.
    """

    def __init__(
        self,
        http: Http,
        place: Place,
        headers: dict[str, str],
        partial: PartialFile,
        follower: Follower,
        timeout_s: float,
        pace: Pace,
        chunk_bytes: int,
    ) -> None:
        super().__init__(http, place.url, partial, follower, timeout_s, pace)
        self.is_proven = False
        self._place = place
        self._headers = headers
        self._chunk_bytes = chunk_bytes

    def read(self) -> None:
        """Fetch until nothing is left."""
        while not self._stopped.is_set() and (piece := self._partial.claim(self._chunk_bytes)) is not None:
            try:
                self._fetch(piece)
            finally:
                self._partial.release(piece)

    def _fetch(self, piece: Piece) -> None:
        origin = self._partial.origin
        assert origin is not None
        assert origin.size_bytes is not None
        start_bytes, end_bytes = piece.next_bytes, piece.end_bytes
        assert end_bytes is not None
        wanted = {"Range": f"bytes={start_bytes}-{end_bytes - 1}", "Accept-Encoding": "identity"}
        if self._place.etag is not None:
            wanted["If-Range"] = f'"{self._place.etag}"'
        self._hear()
        response = self._http.open(
            self._url,
            headers=self._headers | wanted,
            why="download",
            timeout_s=self._timeout_s,
            on_connection=self._on_connection,
        )
        try:
            _check(response, self._place, start_bytes, end_bytes, origin.size_bytes)
            self._hear()
            self.is_proven = True
            self._copy(response, piece)
        finally:
            response.close()
        if not self._stopped.is_set() and self._partial.room(piece):
            received_bytes = piece.next_bytes - start_bytes
            raise Retry(SizeMismatch(without_query(self._url), end_bytes - start_bytes, received_bytes))


class Lanes:
    """The further connections of one attempt. Only the thread that watches calls it.

    Attributes:
        failure: The last reason for which one ended.
        refuses_ranges: The server was found not to send ranges.
    """

    def __init__(
        self,
        http: Http,
        partial: PartialFile,
        follower: Follower,
        pace: Pace,
        timeout_s: float,
        options: LaneOptions,
        origin_url: str,
        token: str | None,
    ) -> None:
        self.failure: Exception | None = None
        self.refuses_ranges = False
        self._http = http
        self._partial = partial
        self._follower = follower
        self._pace = pace
        self._timeout_s = timeout_s
        self._options = options
        self._origin_url = origin_url
        self._token = token
        self._lanes: list[Lane] = []
        self._is_proven = False
        self._may_open = options.n_connections > 1
        self._looked: tuple[float, int] | None = None

    @property
    def n_alive(self) -> int:
        """How many there are at the moment."""
        return sum(not lane.done.is_set() for lane in self._lanes)

    def tend(self, reader: Reader) -> None:
        """Notice those that have ended, and open another if that would help.

        Raises:
            Retry, ModelManagerError: As `reap`.
        """
        self.reap()
        if self._may_open and reader.place is not None and self._would_help(reader):
            self._open(reader.place)

    def reap(self) -> None:
        """Notice those that have ended.

        Raises:
            Retry, ModelManagerError: Something came up that concerns the whole attempt.
        """
        for lane in list(self._lanes):
            lane.fail_if_silent()
            self._is_proven = self._is_proven or lane.is_proven
            if lane.done.is_set():
                self._lanes.remove(lane)
                self._may_open = False  # it failed, or there is nothing left that would pay
                if lane.failure is not None:
                    self._note(lane.failure)

    def stop(self) -> None:
        """End them all."""
        for lane in self._lanes:
            lane.stop()

    def _would_help(self, reader: Reader) -> bool:
        place, origin = reader.place, self._partial.origin
        if place is None or not place.takes_ranges or origin is None or origin.size_bytes is None:
            return False
        if origin.sha256 is None and (origin.etag is None or place.etag is None):
            return False  # nothing would tell if another range came from another version
        n_alive = self.n_alive + (not reader.done.is_set())
        if n_alive >= (self._options.n_connections if self._is_proven else 2):
            return False
        if reader.done.is_set():
            return self._is_proven and reader.failure is None and self._partial.held_bytes < origin.size_bytes
        if origin.size_bytes - self._partial.held_bytes < self._options.from_bytes:
            return False
        now = time.monotonic()
        if self._looked is None:
            self._looked = now, self._partial.held_bytes
        began_at, began_bytes = self._looked
        is_fast = self._partial.held_bytes - began_bytes >= self._options.enough_bytes_per_s * (
            now - began_at
        )
        return now - began_at >= self._options.look_s and not is_fast

    def _open(self, place: Place) -> None:
        headers = {}
        if self._token is not None and is_same_origin(place.url, self._origin_url):
            headers["Authorization"] = f"Bearer {self._token}"
        lane = Lane(
            self._http,
            place,
            headers,
            self._partial,
            self._follower,
            self._timeout_s,
            self._pace,
            self._options.chunk_bytes,
        )
        self._lanes.append(lane)
        lane.start()

    def _note(self, failure: Exception) -> None:
        if isinstance(failure, NoRanges):
            log.info("one connection for %s: %s", self._partial.path, failure)
            self.refuses_ranges = True
        elif not isinstance(failure, Retry) or isinstance(failure.error, RemoteFileChanged):
            raise failure
        else:
            log.info("a connection for %s ended: %s", self._partial.path, failure)
            self.failure = failure


def _check(response: Response, place: Place, start_bytes: int, end_bytes: int, total_bytes: int) -> None:
    """Whether the answer is the range of the file that was asked for.

    Raises:
        NoRanges: It is something else.
        Retry: The file has changed, or the server cannot or will not answer now.
    """
    status, url, host = response.status_code, without_query(str(response.url)), response.url.host
    match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "")) if status == 206 else None
    if status in (200, 206):
        etag = bare_etag(response.headers.get("ETag"))
        if place.etag is not None and etag is not None and etag != place.etag:
            raise Retry(RemoteFileChanged(url))
        if match is not None and match[3] not in ("*", str(total_bytes)):
            raise Retry(RemoteFileChanged(url))
        if match is None or (int(match[1]), int(match[2])) != (start_bytes, end_bytes - 1):
            raise NoRanges("another range than asked for")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise NoRanges("an encoded range")
        if place.etag is not None and etag is None:
            raise NoRanges("a range without the name of its file")
        return
    if status == 429:
        raise Retry(RateLimited(status, url), retry_after_s(response))
    if status in (401, 403):
        raise Retry(AccessDenied(status, url))  # the signature has expired, or allows one connection alone
    if status >= 500 or status == 408:
        raise Retry(HubFailing(host, status), retry_after_s(response))
    if status == 416:
        raise Retry(RemoteFileChanged(url))
    raise Retry(HubUnavailable(host, f"status {status}"))
