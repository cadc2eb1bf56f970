"""The one door to the network: every socket this package opens towards another program is opened here.

Who may be asked, decided by rule:

- a host that somebody named: the hub's endpoint, or a URL that was typed in (`Http.allow`);
- a host that the answer to a download of such a host leads to, over https (the hub hands its large files to
  storage servers that change): asking is allowed for the rest of the run, the token stays behind;
- this machine itself, always, also offline; but no redirect from outside leads to it.

Everything else raises `HostRefused` before a packet leaves, and everything off this machine raises `Offline`
while the switch is on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from httpx2 import (
    URL,
    BaseTransport,
    Client,
    ConnectError,
    ConnectTimeout,
    EventSource,
    HTTPError,
    HTTPTransport,
    InvalidURL,
    Limits,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
    Request,
    Response,
    ServerSentEvent,
    SSEError,
    StreamClosed,
    SyncByteStream,
    Timeout,
    TimeoutException,
    TransportError,
)

from model_manager.errors import HostRefused, Offline
from model_manager.hosts import is_file, is_loopback, origin_of, proxy_for
from model_manager.request_log import OpenEntry, RequestLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "URL",
    "Client",
    "ConnectError",
    "ConnectTimeout",
    "Connection",
    "EventSource",
    "HTTPError",
    "Http",
    "InvalidURL",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "Request",
    "Response",
    "SSEError",
    "ServerSentEvent",
    "StreamClosed",
    "Timeout",
    "TimeoutException",
    "TransportError",
    "count_body",
    "engine_client",
]

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
USER_AGENT = "coterie"

_ENTRY = "coterie_log_entry"

_why: ContextVar[str] = ContextVar("why", default="")


def count_body(response: Response, n_bytes: int) -> None:
    """Tell the log of body bytes that were read past the response, from its socket."""
    entry = response.extensions.get(_ENTRY)
    if isinstance(entry, OpenEntry):
        entry.received_bytes += n_bytes


class Connection:
    """The socket below a request, so that another thread can end a wait on it."""

    def __init__(self, stream: Any) -> None:
        """Take the socket out of the library's stream."""
        self._socket: socket.socket = stream.get_extra_info("socket")
        self._tls = stream.get_extra_info("ssl_object")

    def abort(self) -> None:
        """Make a blocked read return at once; harmless when the socket is closed already."""
        with contextlib.suppress(OSError):
            # Not the method of an SSLSocket: that one would discard its TLS state under a running read.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def direct_socket(self) -> socket.socket | None:
        """The socket, if reading from it gives the plain bytes: no TLS, or TLS that it does itself."""
        return self._socket if self._tls in (None, self._socket) else None


class Http:
    """Requests to the world outside, under the rules above. Thread-safe; connects when first asked.

    Attributes:
        log: Every request, also the failed ones.
    """

    def __init__(self, *, offline: Callable[[], bool] = lambda: False, log_path: Path | None = None) -> None:
        """Make the door.

        Args:
            offline: The switch, asked before every request, from any thread; `HF_HUB_OFFLINE` is one, too.
            log_path: JSON lines are appended here.
        """
        _silence_libraries()
        self.log = RequestLog(log_path)
        self._offline = offline
        self._allowed: set[str] = set()
        self._token_origins: set[str] = set()
        self._lock = threading.Lock()
        # Transfers get a connection each, so that one can be aborted without touching another.
        self._transfers = Client(transport=_Door(self, Limits(max_keepalive_connections=0)), trust_env=False)

    def allow(self, url: str, *, may_carry_token: bool = False) -> None:
        """Let the origin (scheme, host, port) of a URL that a person or a setting named be asked.

        Args:
            url: Any URL of that origin.
            may_carry_token: An `Authorization` header may go there; from all other requests it is taken away.
        """
        origin = origin_of(url)
        with self._lock:
            self._allowed.add(origin)
            if may_carry_token:
                self._token_origins.add(origin)

    def allowed(self) -> tuple[str, ...]:
        """The origins (scheme, host and port) that may be asked now, besides this machine itself; sorted."""
        with self._lock:
            return tuple(sorted(self._allowed))

    def new_client(self) -> Client:
        """A client behind this door, for a library that wants one of its own. It keeps no cookies."""
        return Client(
            transport=_Door(self, Limits(max_connections=8, max_keepalive_connections=2)),
            timeout=Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            follow_redirects=True,
            trust_env=False,
        )

    def engine_client(self, base_url: str, token: str | None = None) -> Client:
        """A client for an engine on another machine that a person has named, behind this door.

        As the function of this name otherwise; the silence that is allowed must be given with each request.

        Args:
            base_url: Its address, which may be asked from now on.
            token: Sent as a bearer token, to this address only.
        """
        self.allow(base_url, may_carry_token=True)
        return Client(
            base_url=base_url,
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
            transport=_Door(self, Limits(max_keepalive_connections=0), why="engine"),
            timeout=Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,
            trust_env=False,
        )

    @contextlib.contextmanager
    def purpose(self, why: str) -> Iterator[None]:
        """Name the purpose of the requests that this thread makes inside the block, for the log."""
        token = _why.set(why)
        try:
            yield
        finally:
            _why.reset(token)

    def open(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        why: str,
        timeout_s: float,
        on_connection: Callable[[Connection], None],
    ) -> Response:
        """Begin a GET whose body the caller reads and closes. Redirects are returned, not followed.

        Args:
            url: What to get.
            headers: Sent along.
            why: For the log.
            timeout_s: How long connecting, and each wait for bytes, may last.
            on_connection: Gets the socket as soon as there is one, and again when TLS has begun on it.

        Raises:
            Offline, HostRefused: Nothing was sent.
            TransportError: Nothing answered, or nothing sensible.
        """

        def trace(event: str, info: dict[str, Any]) -> None:
            # TLS takes the socket over, and the first handle would point to nothing.
            if event.endswith(("connect_tcp.complete", "start_tls.complete")):
                on_connection(Connection(info["return_value"]))

        request = self._transfers.build_request(
            "GET",
            url,
            headers=headers,
            timeout=Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
            extensions={"trace": trace},
        )
        with self.purpose(why):
            return self._transfers.send(request, stream=True, follow_redirects=False)

    def close(self) -> None:
        """End all transfers' connections; clients from `new_client` belong to who asked for them."""
        self._transfers.close()

    def is_offline(self) -> bool:
        """Whether nothing may leave this machine just now."""
        return self._offline() or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")

    def _admit(self, url: URL) -> None:
        if is_loopback(url.host):
            return
        if self.is_offline():
            raise Offline(url.host)
        with self._lock:
            if origin_of(str(url)) not in self._allowed:
                raise HostRefused(url.host)

    def _admit_redirect(self, source: URL, target: URL) -> None:
        """Decide where an answer may lead, and remember a storage server that it may lead to."""
        if origin_of(str(target)) == origin_of(str(source)):
            return
        if is_loopback(target.host):
            if not is_loopback(source.host):
                raise HostRefused(target.host)
            return
        with self._lock:
            if origin_of(str(target)) in self._allowed:
                return
            if target.scheme == "https" and (is_file(source.path) or target.host == source.host):
                self._allowed.add(origin_of(str(target)))
                return
        raise HostRefused(target.host)

    def _carries_token(self, url: URL) -> bool:
        with self._lock:
            return origin_of(str(url)) in self._token_origins


def engine_client(
    socket_path: Path | None = None, base_url: str | None = None, token: str | None = None
) -> Client:
    """A client for one engine, over a Unix socket or an address.

    A local engine is no network: no proxy of the environment is asked, and the request log does not see it.
    There is no read timeout, because a long prefill is silent for as long as it takes; who waits decides when
    to give up, and closes the response. Thread-safe, as `Client` is.

    Args:
        socket_path: The worker's private socket; takes the place of an address.
        base_url: Where requests go; None is right for a socket. One of the two must be given.
        token: Sent as a bearer token with every request to this engine.
    """
    if socket_path is None and base_url is None:
        raise ValueError("an engine needs a socket or an address")
    _silence_libraries()
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    verify = True if socket_path is None and URL(base_url or "").scheme == "https" else _no_tls()
    transport = HTTPTransport(
        uds=None if socket_path is None else str(socket_path), verify=verify, trust_env=False
    )
    return Client(
        base_url=base_url or "http://engine",
        headers=headers,
        transport=transport,
        timeout=Timeout(None, connect=CONNECT_TIMEOUT_S),
        trust_env=False,
        follow_redirects=False,
    )


class _Door(BaseTransport):
    """Applies the rules to each request, each hop of a redirect included, and writes it down."""

    def __init__(self, http: Http, limits: Limits, why: str = "") -> None:
        self._http = http
        self._why = why
        self._limits = limits
        self._transports: dict[tuple[str, str | None], HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: Request) -> Response:
        url = request.url
        self._http._admit(url)
        if not self._http._carries_token(url):
            request.headers.pop("Authorization", None)
        request.headers["User-Agent"] = USER_AGENT
        timeouts = request.extensions.get("timeout", {})
        if timeouts.get("read") is None:  # the hub library asks for no timeout at all
            forced = Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S).as_dict()
            request.extensions = {**request.extensions, "timeout": forced}
        entry = OpenEntry(self._http.log, request.method, url.host, url.path, why=_why.get() or self._why)
        try:
            response = self._transport_for(url).handle_request(request)
        except TransportError as error:
            entry.close(None, type(error).__name__)
            raise
        response.headers.pop("Set-Cookie", None)
        response.extensions[_ENTRY] = entry
        response.stream = _LoggedStream(response.stream, entry, response.status_code)
        if response.is_redirect and "Location" in response.headers:
            try:
                self._http._admit_redirect(url, url.join(response.headers["Location"]))
            except (HostRefused, InvalidURL):
                response.close()
                raise
        return response

    def close(self) -> None:
        with self._lock:
            for transport in self._transports.values():
                transport.close()
            self._transports.clear()

    def _transport_for(self, url: URL) -> HTTPTransport:
        key = url.scheme, proxy_for(str(url))
        with self._lock:
            if key not in self._transports:
                verify = True if url.scheme == "https" else _no_tls()
                self._transports[key] = HTTPTransport(proxy=key[1], limits=self._limits, verify=verify)
            return self._transports[key]


class _LoggedStream(SyncByteStream):
    """A body that counts itself."""

    def __init__(self, stream: Any, entry: OpenEntry, status: int) -> None:
        self._stream = stream
        self._entry: OpenEntry | None = entry
        self._status = status
        self._error = ""

    def __iter__(self) -> Iterator[bytes]:
        entry = self._entry
        try:
            for chunk in self._stream:
                if entry is not None:
                    entry.received_bytes += len(chunk)
                yield chunk
        except TransportError as error:
            self._error = type(error).__name__
            raise

    def close(self) -> None:
        self._stream.close()
        if self._entry is not None:
            self._entry.close(self._status, self._error)
            self._entry = None


def _no_tls() -> ssl.SSLContext:
    """A context that trusts nobody, where none is needed: loading the system's roots takes 50 ms."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _silence_libraries() -> None:
    """Keep signed URLs and tokens out of the program's log: the libraries would write both."""
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
