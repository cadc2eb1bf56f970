"""The gateway as it runs: a listening socket, and a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from model_manager.engine.gateway.app import Limits, build_app
from model_manager.engine.gateway.guard import Guard
from model_manager.engine.gateway.models import Describe, Models
from model_manager.errors import CannotListen

log = logging.getLogger(__name__)

_BACKLOG: Final = 128
_MOST_CONNECTIONS: Final = 512
# What a client that does not read may leave in the kernel; together with uvicorn's 64 KiB that is its share.
_SEND_BUFFER_BYTES: Final = 64 * 1024
_FAREWELL_S: Final = 3
_FIRST_REQUEST_S: Final = 20.0


class Gateway:
    """Serves until `close`. Listens from the moment it is made."""

    def __init__(
        self,
        models: Models,
        describe: Describe,
        *,
        key: str,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits | None = None,
    ) -> None:
        """Listen and serve.

        Args:
            models: What is served.
            describe: Makes sentences of errors.
            key: Demanded of every request.
            host: An address of this machine.
            port: 0 for a free one.
            limits: What one client may cost the others.

        Raises:
            CannotListen: The address is not ours, or the port is in use.
        """
        self._listener = _listen(host, port)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        app, self._relay = build_app(models, describe, limits or Limits())
        config = uvicorn.Config(
            Guard(app, key=key, host=host, port=self.port, describe=describe),
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http=_Protocol,
            ws="none",
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_FAREWELL_S,
        )
        self._server = _Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What clients take for their base URL."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.port}/v1"

    def close(self) -> None:
        """Cancel what runs and stop to listen; returns when the thread has ended. May be called twice."""
        self._server.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._relay.close)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._server.serve(sockets=[self._listener]))


class _Server(uvicorn.Server):
    """Leaves signals alone: they belong to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(H11Protocol):
    """Lets an application cut its connection (`scope["state"]["transport"]`), which ASGI has no word for.

    A connection on which no request arrives is closed.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        self.app_state: dict[str, Any] = {**self.app_state, "transport": transport}
        super().connection_made(transport)
        self._waiting = self.loop.call_later(_FIRST_REQUEST_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        """Whoever connects and never asks would take the place of others, and needs no key for that."""
        if self.cycle is None:
            self.transport.abort()


def _listen(host: str, port: int) -> socket.socket:
    try:
        address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(address[0], socket.SOCK_STREAM)
    except (OSError, OverflowError, UnicodeError) as error:
        raise CannotListen(host, port, str(error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        listener.bind(address[4])
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise CannotListen(host, port, str(error)) from error
    return listener
