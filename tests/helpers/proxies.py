"""Proxies on this machine, HTTP and SOCKS 5, which know names that no one else does."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import struct
import threading
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

Kind = Literal["http", "socks"]


class Proxy:
    """Use as a context manager.

    Attributes:
        url: Its address.
        asked: `host:port` of all that was asked for, in order.
        refuses: Answer everything with a refusal.
    """

    def __init__(self, kind: Kind, places: Mapping[str, str]) -> None:
        """Listen.

        Args:
            kind: What it speaks.
            places: By host, the `host:port` on this machine that is meant.
        """
        self.asked: list[str] = []
        self.refuses = False
        self.places = places
        self._server = _Server(("127.0.0.1", 0), _HttpHandler if kind == "http" else _SocksHandler)
        self._server.proxy = self
        scheme = "http" if kind == "http" else "socks5h"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.end.set()
        self._server.server_close()
        self._thread.join()

    def connect(self, host: str, port: int) -> socket.socket | None:
        """The way there; None if there is none."""
        self.asked.append(f"{host}:{port}")
        place = self.places.get(host)
        if self.refuses or place is None:
            return None
        name, _colon, real_port = place.partition(":")
        return socket.create_connection((name, int(real_port)))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    proxy: Proxy

    def __init__(self, *arguments: Any) -> None:
        self.end = threading.Event()
        super().__init__(*arguments)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up has hung up."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def pipe(self, other: socket.socket) -> None:
        """Hand bytes both ways until one end has enough."""
        ends = {self.request: other, other: self.request}
        with contextlib.closing(other):
            while not self.server.end.is_set():
                readable, _, _ = select.select(list(ends), [], [], 0.05)
                for end in readable:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)

    def read_head(self) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(65536)
            if not piece:
                raise OSError("gone")
            head += piece
        return head

    def read(self, n_bytes: int) -> bytes:
        data = b""
        while len(data) < n_bytes:
            piece = self.request.recv(n_bytes - len(data))
            if not piece:
                raise OSError("gone")
            data += piece
        return data


class _HttpHandler(_Handler):
    """CONNECT, and requests with a whole address."""

    def handle(self) -> None:
        head = self.read_head()
        method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        other = self.server.proxy.connect(url.hostname or "", url.port or 80)
        if other is None:
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        if method == "CONNECT":
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            path = f"{url.path}?{url.query}" if url.query else url.path
            rest = head.split(b"\r\n", 1)[1].replace(b"Connection: keep-alive", b"Connection: close")
            other.sendall(f"{method} {path or '/'} HTTP/1.1\r\n".encode() + rest)
        self.pipe(other)


class _SocksHandler(_Handler):
    """SOCKS 5 without a password, by name alone. Source: RFC 1928."""

    OK: ClassVar = b"\x05\x00\x00\x01" + bytes(6)
    REFUSED: ClassVar = b"\x05\x02\x00\x01" + bytes(6)

    def handle(self) -> None:
        _version, n_methods = self.read(2)
        self.read(n_methods)
        self.request.sendall(b"\x05\x00")
        _version, _command, _reserved, kind = self.read(4)
        assert kind == 3, "the name must reach the proxy: looking it up here would tell the network"
        host = self.read(self.read(1)[0]).decode()
        (port,) = struct.unpack("!H", self.read(2))
        other = self.server.proxy.connect(host, port)
        self.request.sendall(self.REFUSED if other is None else self.OK)
        if other is not None:
            self.pipe(other)
