"""Who may ask at all: the key, the Host and the Origin of every request, and the size and type of its body.

A web page can send requests to this machine from inside a browser. But it cannot know the key; it sends an
`Origin`, or by DNS rebinding comes under a foreign `Host`; and for a body of the type `application/json` it
needs the leave of a pre-flight request, which is refused here.
Source: notes F2
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import socket
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from model_manager.engine.gateway.models import Describe
from model_manager.engine.gateway.refusals import QueueFull, response_for
from model_manager.engine.protocol import MAX_BODY_BYTES
from model_manager.errors import RequestRefused
from model_manager.hosts import is_loopback

BODY_TIMEOUT_S: Final = 30.0
ALL_BODIES_BYTES: Final = 512 * 1024 * 1024
_BODIES_RETRY_S: Final = 10.0
_PARSED_AT_ONCE_BYTES: Final = 256 * 1024


class Guard:
    """Lets only those in who know the key and call this machine by one of its own names."""

    def __init__(self, app: ASGIApp, *, key: str, host: str, port: int, describe: Describe) -> None:
        """Wrap an application.

        Args:
            app: What is behind.
            key: Demanded of every request as a bearer token.
            host: The address that is listened on.
            port: Its port.
            describe: Makes sentences.
        """
        self._app = app
        self._expected = f"Bearer {key}".encode()
        self._is_local = is_loopback(host)
        self._names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
        if not self._is_local:
            own = socket.gethostname().lower()
            self._names |= {own, f"{own}.local", socket.getfqdn().lower()}
        self._port = port
        self._describe = describe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        refused = self._refusal(scope)
        if refused is None:
            await self._app(scope, receive, send)
        else:
            await response_for(refused, self._describe)(scope, receive, send)

    def _refusal(self, scope: Scope) -> RequestRefused | None:
        headers: dict[bytes, bytes] = {}
        for name, value in scope.get("headers", ()):
            # What comes twice could mean one thing here and another elsewhere.
            if name in headers and name in (b"host", b"authorization", b"origin"):
                return RequestRefused(400, f"the header {name.decode('latin-1')} came twice")
            headers[name] = value
        if not self._is_known_host(headers.get(b"host", b"").decode("latin-1").lower()):
            return RequestRefused(403, "this Host is not served here; use the address that was printed")
        if b"origin" in headers:
            return RequestRefused(403, "requests from web pages (with an Origin) are not served")
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return RequestRefused(401, "the key is missing or wrong; send it as Authorization: Bearer KEY")
        return None

    def _is_known_host(self, host: str) -> bool:
        name, port = _split(host)
        if self._is_local:
            return name in self._names and port == self._port
        return name in self._names or _is_address(name)


class BodyBudget:
    """Memory for the bodies of all requests that are read, wait or run. Belongs to the event loop."""

    def __init__(self, limit_bytes: int = ALL_BODIES_BYTES) -> None:
        self._left_bytes = limit_bytes

    def take(self, n_bytes: int) -> None:
        """Count so many.

        Raises:
            QueueFull: There is no room for them now.
        """
        if n_bytes > self._left_bytes:
            raise QueueFull(_BODIES_RETRY_S)
        self._left_bytes -= n_bytes

    def give_back(self, n_bytes: int) -> None:
        """They are gone."""
        self._left_bytes += n_bytes


async def read_object(request: Request, budget: BodyBudget) -> tuple[bytes, dict[str, Any]]:
    """The body, as it came and as what it says; its length is to be given back to the budget.

    Raises:
        RequestRefused: It has another type, is too large or no JSON object, or does not arrive.
        QueueFull: There is no memory for it now.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestRefused(415, "the body must be application/json")
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise RequestRefused(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    body = await _gathered(request, budget)
    try:
        return body, await _parsed(body)
    except BaseException:
        budget.give_back(len(body))
        raise


async def _parsed(body: bytes) -> dict[str, Any]:
    try:
        # A body with images takes long enough to be felt by other answers.
        slow = len(body) > _PARSED_AT_ONCE_BYTES
        fields = await asyncio.to_thread(json.loads, body) if slow else json.loads(body)
    except (ValueError, RecursionError):
        raise RequestRefused(400, "the body is not JSON") from None
    if not isinstance(fields, dict):
        raise RequestRefused(400, "the body is not an object")
    return fields


async def _gathered(request: Request, budget: BodyBudget) -> bytes:
    gathered = bytearray()
    chunks = request.stream()
    try:
        while True:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                chunk = await anext(chunks, None)
            if chunk is None:
                return bytes(gathered)
            budget.take(len(chunk))
            gathered += chunk
            if len(gathered) > MAX_BODY_BYTES:
                raise RequestRefused(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    except BaseException as error:
        budget.give_back(len(gathered))
        if isinstance(error, ClientDisconnect):
            raise RequestRefused(499, "the client went away") from None
        if isinstance(error, TimeoutError):
            raise RequestRefused(408, f"the body did not arrive for {BODY_TIMEOUT_S:.0f} s") from None
        raise


def _split(host: str) -> tuple[str, int | None]:
    """Name and port of a Host header; the port of plain HTTP where it gives none."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.strip("[]"), 80
    return name.strip("[]"), int(port) if port.isdecimal() and len(port) < 6 else None


def _is_address(name: str) -> bool:
    """Whether it is a number: those cannot be rebound."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
