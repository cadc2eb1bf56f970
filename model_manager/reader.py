"""The connection that a transfer begins with: it asks the original URL and learns what the file is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_manager.answer import Complete, Wanted, ask, bare_etag, promised_bytes
from model_manager.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_manager.follower import Follower
    from model_manager.http import Http
    from model_manager.pace import Pace
    from model_manager.partial import PartialFile
    from model_manager.sidecar import Origin

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes come from, after all redirects; other connections ask there for other ranges.

    Attributes:
        url: Perhaps signed: not for logs, and not for long.
        etag: What the server there calls the file; None if it does not.
        takes_ranges: It has sent a range, or says that it would.
    """

    url: str
    etag: str | None
    takes_ranges: bool


class Reader(Stream):
    """Brings the first missing bytes, up to what is held or somebody else fetches.

    Attributes:
        place: None until the server has answered.
    """

    def __init__(
        self,
        http: Http,
        wanted: Wanted,
        partial: PartialFile,
        timeout_s: float,
        accept: Callable[[Origin, int | None], None],
        follower: Follower,
        pace: Pace,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            http: The door.
            wanted: What to ask for.
            partial: Where the bytes go.
            timeout_s: Silence after which it gives up.
            accept: Told what the server says of the file, before a byte is written.
            follower: Hashes what it can.
            pace: Waits as it says.
        """
        super().__init__(http, wanted.url, partial, follower, timeout_s, pace)
        self.place: Place | None = None
        self._wanted = wanted
        self._accept = accept

    def read(self) -> None:
        """Ask, and write the answer."""
        try:
            answer = ask(self._http, self._wanted, self._timeout_s, self._on_connection)
        except Complete:
            return
        response = answer.response
        try:
            with self._lock:
                if self._stopped.is_set():
                    return
                if answer.is_whole and self._partial.held_bytes:
                    log.info("%s begins anew: the server ignores ranges", self._partial.path)
                    self._partial.restart()
                self._accept(answer.origin, promised_bytes(response))
                piece = self._partial.open_front()
            self._hear()  # a busy disk is not the server's silence
            etag = bare_etag(response.headers.get("ETag"))
            self.place = Place(str(response.url), etag, answer.takes_ranges)
            try:
                self._copy(response, piece)
            finally:
                self._partial.release(piece)
        finally:
            response.close()
