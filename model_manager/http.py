"""The one door to the network: every socket this package opens towards another program is opened here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httpx2 import (
    URL,
    Client,
    ConnectError,
    ConnectTimeout,
    EventSource,
    HTTPError,
    HTTPTransport,
    ReadError,
    ReadTimeout,
    RemoteProtocolError,
    Request,
    Response,
    ServerSentEvent,
    SSEError,
    StreamClosed,
    Timeout,
    TimeoutException,
    TransportError,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "URL",
    "Client",
    "ConnectError",
    "ConnectTimeout",
    "EventSource",
    "HTTPError",
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
    "engine_client",
]

CONNECT_TIMEOUT_S = 10.0


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
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    transport = None if socket_path is None else HTTPTransport(uds=str(socket_path), trust_env=False)
    return Client(
        base_url=base_url or "http://engine",
        headers=headers,
        transport=transport,
        timeout=Timeout(None, connect=CONNECT_TIMEOUT_S),
        trust_env=False,
        follow_redirects=False,
    )
