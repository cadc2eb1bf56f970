"""One connection of a transfer: a thread that asks for bytes, writes them in their place and hashes them."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from model_manager.answer import Retry
from model_manager.body import iter_body
from model_manager.errors import SizeMismatch, TransferStalled
from model_manager.http import (
    URL,
    Connection,
    ConnectTimeout,
    Http,
    Response,
    TimeoutException,
    TransportError,
)
from model_manager.network import unavailable
from model_manager.pace import Pace
from model_manager.partial import PartialFile, without_query

if TYPE_CHECKING:
    from model_manager.follower import Follower
    from model_manager.pieces import Piece

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 0.5


class Stream:
    """What `Reader` and `Lane` have in common. After `stop` has returned it touches the partial file no more.

    Attributes:
        done: Set when it has ended, well or not.
        failure: Why it ended, if not well.
    """

    def __init__(
        self, http: Http, url: str, partial: PartialFile, follower: Follower, timeout_s: float, pace: Pace
    ) -> None:
        self.done = threading.Event()
        self.failure: Exception | None = None
        self._http = http
        self._url = url
        self._partial = partial
        self._follower = follower
        self._timeout_s = timeout_s
        self._pace = pace
        self._connection: Connection | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()  # held while the partial file is touched
        self._heard_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="transfer", daemon=True)

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life; its own waiting is no silence of the server's."""
        return time.monotonic() - self._heard_at

    def start(self) -> None:
        """Begin asking."""
        self._thread.start()

    def stop(self) -> None:
        """End it now. A thread that still waits for a connection is left to its timeout, harmless."""
        with self._lock:
            self._stopped.set()
            if self._connection is not None:
                self._connection.abort()
        self._thread.join(timeout=1.0)

    def fail_if_silent(self) -> None:
        """End it if the server has said nothing for too long."""
        if not self.done.is_set() and self.silent_s > self._timeout_s:
            self.stop()
            self.failure = self._stalled()
            self.done.set()

    def read(self) -> None:
        """All that the thread does."""
        raise NotImplementedError

    def _run(self) -> None:
        failure: Exception | None = None
        try:
            self.read()
        except TransportError as error:
            is_stalled = isinstance(error, TimeoutException) and not isinstance(error, ConnectTimeout)
            failure = self._stalled() if is_stalled else Retry(unavailable(URL(self._url).host, error))
        except Exception as error:  # noqa: BLE001  (handed over: the watching thread raises it)
            failure = error
        if not self.done.is_set():
            self.failure = failure
            self.done.set()

    def _stalled(self) -> Retry:
        return Retry(TransferStalled(without_query(self._url), self._timeout_s))

    def _copy(self, response: Response, piece: Piece) -> None:
        """Write the body into a piece, to the piece's end.

        Raises:
            Retry: There was more than there can be, and no hash that would tell whether what came is right.
            CannotWrite: The system refuses.
            TransportError: The body broke off.
        """
        for chunk in iter_body(response, self._connection, self._pace.most_bytes):
            with self._lock:
                if self._stopped.is_set():
                    return
                rest = self._write(piece, memoryview(chunk))
                self._heard_at = time.monotonic()
                if rest:
                    self._judge_excess(len(rest))
                    return
                if not (self._is_at_end(piece) or self._partial.room(piece) != 0):
                    return  # the next bytes are there, or on their way to somebody else
            self._wait(self._pace.wait_s(len(chunk)))

    def _write(self, piece: Piece, data: memoryview) -> memoryview:
        """Write and hash what there is room for; what there is none for."""
        while data and (room_bytes := self._partial.room(piece)) != 0:
            part = data[:room_bytes]
            self._partial.write(piece, part)
            self._follower.feed(part, piece.next_bytes)
            data = data[len(part) :]
        return data

    def _is_at_end(self, piece: Piece) -> bool:
        origin = self._partial.origin
        return origin is None or piece.next_bytes == origin.size_bytes

    def _judge_excess(self, excess_bytes: int) -> None:
        """A body went on after the end of its piece."""
        origin = self._partial.origin
        if origin is None or origin.sha256 is not None or self._partial.size_bytes != origin.size_bytes:
            return  # with a hash, it alone decides; before the end of the file, nothing was too much
        self._partial.restart()
        too_many_bytes = (origin.size_bytes or 0) + excess_bytes
        raise Retry(SizeMismatch(origin.url, origin.size_bytes or 0, too_many_bytes))

    def _wait(self, seconds: float) -> None:
        while seconds > 0 and not self._stopped.wait(min(seconds, _LONGEST_WAIT_S)):
            self._heard_at = time.monotonic()
            seconds -= _LONGEST_WAIT_S

    def _hear(self) -> None:
        self._heard_at = time.monotonic()

    def _on_connection(self, connection: Connection) -> None:
        with self._lock:
            self._heard_at = time.monotonic()
            self._connection = connection
            if self._stopped.is_set():
                connection.abort()
