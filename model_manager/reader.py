"""The half of a transfer that listens to the network."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from model_manager.answer import Complete, Retry, Wanted, ask, promised_bytes
from model_manager.body import iter_body
from model_manager.errors import HubUnavailable, SizeMismatch, TransferStalled
from model_manager.http import URL, Connection, Http, Response, TimeoutException, TransportError
from model_manager.partial import Follower, Origin, PartialFile, without_query

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


class Reader:
    """The thread that asks and appends. After `stop` has returned it touches the partial file no more.

    Attributes:
        done: Set when it has ended, well or not.
        failure: Why it ended, if not well.
    """

    def __init__(
        self,
        http: Http,
        wanted: Wanted,
        partial: PartialFile,
        timeout_s: float,
        accept: Callable[[Origin, int | None], None],
        follower: Follower,
    ) -> None:
        self.done = threading.Event()
        self.failure: Exception | None = None
        self._http = http
        self._wanted = wanted
        self._partial = partial
        self._timeout_s = timeout_s
        self._accept = accept
        self._follower = follower
        self._connection: Connection | None = None
        self._is_stopped = False
        self._lock = threading.Lock()
        self._heard_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="transfer", daemon=True)

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self._heard_at

    def start(self) -> None:
        """Begin asking."""
        self._thread.start()

    def stop(self) -> None:
        """End it now. A thread that still waits for a connection is left to its timeout, harmless."""
        with self._lock:
            self._is_stopped = True
            if self._connection is not None:
                self._connection.abort()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        host = URL(self._wanted.url).host
        try:
            self._read()
        except TimeoutException:
            self.failure = Retry(TransferStalled(without_query(self._wanted.url), self._timeout_s))
        except TransportError as error:
            self.failure = Retry(HubUnavailable(host, str(error) or type(error).__name__))
        except Exception as error:  # noqa: BLE001  (handed over: `_attempt` raises it in the caller's thread)
            self.failure = error
        finally:
            self.done.set()

    def _read(self) -> None:
        try:
            answer = ask(self._http, self._wanted, self._timeout_s, self._on_connection)
        except Complete:
            return
        response = answer.response
        try:
            with self._lock:
                if self._is_stopped:
                    return
                if answer.is_whole and self._partial.size_bytes:
                    log.info("%s begins anew: the server ignores ranges", self._partial.path)
                    self._partial.restart()
                self._accept(answer.origin, promised_bytes(response))
                self._heard_at = time.monotonic()  # a busy disk is not the server's silence
            self._append_all(response)
        finally:
            response.close()

    def _append_all(self, response: Response) -> None:
        origin = self._partial.origin
        assert origin is not None
        for chunk in iter_body(response, self._connection):
            with self._lock:
                if self._is_stopped:
                    return
                room_bytes = (
                    None if origin.size_bytes is None else origin.size_bytes - self._partial.size_bytes
                )
                self._partial.append(chunk[:room_bytes])
                self._follower.feed(chunk[:room_bytes])
                self._heard_at = time.monotonic()
                if room_bytes is None or len(chunk) <= room_bytes:
                    continue
                if origin.sha256 is None:  # with a hash, it alone decides
                    self._partial.restart()
                    too_many_bytes = (origin.size_bytes or 0) + len(chunk) - room_bytes
                    raise Retry(SizeMismatch(origin.url, origin.size_bytes or 0, too_many_bytes))
                return

    def _on_connection(self, connection: Connection) -> None:
        with self._lock:
            self._heard_at = time.monotonic()
            self._connection = connection
            if self._is_stopped:
                connection.abort()
