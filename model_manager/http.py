"""The one door to the network: every socket this package opens towards another program is opened here.

Who may be asked is decided in `admission`: what it does not admit raises `HostRefused` with no packet sent,
and everything off this machine raises `Offline` while the switch is on. Turning it on (`Http.hang_up`) also
cuts what is under way.
"""

from __future__ import annotations

import contextlib
import logging
import os
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
    ProxyError,
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
    create_ssl_context,
)

from model_manager.admission import Admission
from model_manager.connection import Call, Connection
from model_manager.errors import HostRefused, Offline, ProxyUnusable
from model_manager.hosts import is_loopback, proxy_for, without_secrets
from model_manager.request_log import OpenEntry, RequestLog
from model_manager.tls import authorities, no_tls

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
    "ProxyError",
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


class Http:
    """Requests to the world outside, under the rules above. Thread-safe; connects when first asked.

    Attributes:
        log: Every request, also the failed ones.
        rules: Who may be asked.
        proxy: Through whom, now.
        ca_file: Whom to believe besides the system's authorities, now.
    """

    def __init__(
        self,
        *,
        offline: Callable[[], bool] = lambda: False,
        proxy: Callable[[], str] = lambda: "system",
        ca_file: Callable[[], str | None] = lambda: None,
        log_path: Path | None = None,
    ) -> None:
        """Make the door.

        Args:
            offline: The switch, asked before every request, from any thread; `HF_HUB_OFFLINE` is one, too.
            proxy: As `hosts.proxy_for` takes it; asked likewise.
            ca_file: A certificate authority to believe besides the system's; asked likewise.
            log_path: JSON lines are appended here.
        """
        _silence_libraries()
        self.log = RequestLog(log_path)
        self.rules = Admission()
        self.proxy = proxy
        self.ca_file = ca_file
        self._offline = offline
        self._calls: set[Call] = set()
        self._lock = threading.Lock()
        # Transfers get a connection each, so that one can be aborted without touching another.
        self._transfers = Client(transport=_Door(self, Limits(max_keepalive_connections=0)), trust_env=False)

    def allow(self, url: str, *, may_carry_token: bool = False, is_file: bool = False) -> None:
        """Let the origin (scheme, host, port) of a URL that a person or a setting named be asked.

        Args:
            url: Any URL of that origin.
            may_carry_token: An `Authorization` header may go there; from all other requests it is taken away.
            is_file: This very URL is a download, so its answer may lead to a storage server.
        """
        self.rules.allow(url, may_carry_token=may_carry_token, is_file=is_file)

    def allowed(self) -> tuple[str, ...]:
        """The origins (scheme, host and port) that may be asked now, besides this machine itself; sorted."""
        return self.rules.allowed()

    def hang_up(self) -> None:
        """Cut every request that is under way to another machine, as the offline switch demands."""
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.cut()

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
        if self.is_offline() and not is_loopback(url.host):
            raise Offline(url.host)
        self.rules.admit(str(url))

    def _begin(self, call: Call) -> None:
        with self._lock:
            self._calls.add(call)

    def _end(self, call: Call) -> None:
        with self._lock:
            self._calls.discard(call)


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
    verify = True if socket_path is None and URL(base_url or "").scheme == "https" else no_tls()
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
        self._transports: dict[tuple[str, str | None, str | None], HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: Request) -> Response:
        url, rules = request.url, self._http.rules
        proxy = proxy_for(str(url), self._http.proxy())
        # A name that is asked through a proxy is looked up there.
        call = Call(
            url.host, rules.must_be_public(str(url)) and proxy is None, request.extensions.get("trace")
        )
        self._http._begin(call)  # before the switch is asked: no gap between the two
        try:
            self._http._admit(url)
            if not rules.carries_token(str(url)):
                request.headers.pop("Authorization", None)
            request.headers["User-Agent"] = USER_AGENT
            timeouts = request.extensions.get("timeout", {})
            if timeouts.get("read") is None:  # the hub library asks for no timeout at all
                timeouts = Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S).as_dict()
            request.extensions = {**request.extensions, "timeout": timeouts, "trace": call.trace}
            response = self._send(request, proxy)
        except BaseException:
            self._http._end(call)
            call.drop()
            raise
        stream = response.extensions.get("network_stream")
        if stream is not None:  # a connection that was open already
            call.hold(Connection(stream))
        response.headers.pop("Set-Cookie", None)
        response.stream = _LoggedStream(
            response.stream, response.extensions[_ENTRY], response.status_code, lambda: self._http._end(call)
        )
        if response.is_redirect and "Location" in response.headers:
            try:
                rules.admit_redirect(str(url), str(url.join(response.headers["Location"])))
            except (HostRefused, InvalidURL):
                response.close()
                raise
        return response

    def close(self) -> None:
        with self._lock:
            for transport in self._transports.values():
                transport.close()
            self._transports.clear()

    def _send(self, request: Request, proxy: str | None) -> Response:
        """Ask, and write it down; the entry is in the response's extensions."""
        url = request.url
        transport = self._transport_for(url.scheme, proxy)
        entry = OpenEntry(self._http.log, request.method, url.host, url.path, why=_why.get() or self._why)
        try:
            response = transport.handle_request(request)
        except (TransportError, HostRefused) as error:
            entry.close(None, type(error).__name__)
            if proxy is not None and isinstance(error, ConnectError) and "CERTIFICATE" not in str(error):
                # Nobody but the proxy was connected to.
                raise ProxyError(f"{without_secrets(proxy)}: {error}", request=request) from error
            raise
        response.extensions[_ENTRY] = entry
        return response

    def _transport_for(self, scheme: str, proxy: str | None) -> HTTPTransport:
        key = scheme, proxy, self._http.ca_file() if scheme == "https" else None
        with self._lock:
            if key not in self._transports:
                verify = authorities(create_ssl_context, key[2]) if scheme == "https" else no_tls()
                try:
                    transport = HTTPTransport(proxy=proxy, limits=self._limits, verify=verify)
                except (ValueError, InvalidURL) as error:
                    raise ProxyUnusable(without_secrets(proxy or "")) from error
                self._transports[key] = transport
            return self._transports[key]


class _LoggedStream(SyncByteStream):
    """A body that counts itself."""

    def __init__(self, stream: Any, entry: OpenEntry, status: int, on_end: Callable[[], None]) -> None:
        self._stream = stream
        self._entry: OpenEntry | None = entry
        self._status = status
        self._on_end = on_end
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
        self._on_end()
        if self._entry is not None:
            self._entry.close(self._status, self._error)
            self._entry = None


def _silence_libraries() -> None:
    """Keep signed URLs and tokens out of the program's log: the libraries would write both."""
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
