"""What lies below a request: its socket, so that another thread can end it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from model_manager.errors import HostRefused
from model_manager.hosts import is_loopback, is_private

if TYPE_CHECKING:
    from collections.abc import Callable


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

    def close(self) -> None:
        """Give the socket back; harmless when that was done already."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def direct_socket(self) -> socket.socket | None:
        """The socket, if reading from it gives the plain bytes: no TLS, or TLS that it does itself."""
        return self._socket if self._tls in (None, self._socket) else None


class Call:
    """A request under way, so that it can be cut. Equal to itself alone."""

    def __init__(
        self, host: str, must_be_public: bool, then: Callable[[str, dict[str, Any]], None] | None
    ) -> None:
        """Prepare.

        Args:
            host: Who is asked.
            must_be_public: An address of a private network is refused, whatever name it has.
            then: Told of what `trace` is told of.
        """
        self._host = host
        self._must_be_public = must_be_public
        self._next = then
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._is_cut = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Told by the library of all that happens below the request."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            stream = info["return_value"]
            if self._must_be_public and is_private(str(stream.get_extra_info("server_addr")[0])):
                stream.close()
                raise HostRefused(self._host)
            self.hold(Connection(stream))
        if self._next is not None:
            self._next(event, info)

    def hold(self, connection: Connection) -> None:
        """What to cut; TLS takes the socket over, so the latest counts."""
        with self._lock:
            self._connection = connection
            if self._is_cut:
                connection.abort()

    def drop(self) -> None:
        """It has failed. The library forgets the socket of a SOCKS proxy that refuses."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def cut(self) -> None:
        """End it, from any thread; what reads from this machine itself goes on."""
        if is_loopback(self._host):
            return
        with self._lock:
            self._is_cut = True
            if self._connection is not None:
                self._connection.abort()
