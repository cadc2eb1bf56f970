"""Answers that are made for as long as somebody reads them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send

from model_manager.engine.gateway.models import Describe
from model_manager.engine.gateway.refusals import QueueFull, body_for, response_for
from model_manager.engine.gateway.relay import Call, NobodyReads, Relay
from model_manager.engine.stream_reader import json_or_none
from model_manager.errors import AnswerUnreadable, ModelManagerError

log = logging.getLogger(__name__)

READER_TIMEOUT_S: Final = 30.0
_PIECE_BYTES: Final = 64 * 1024
EVENT_STREAM: Final = "text/event-stream; charset=utf-8"


class Reply:
    """A response that ends with its reader.

    A client that has gone cancels what is made for it; so does one that is there but takes nothing while its
    share of the buffers is full. Neither is felt by anybody else.
    """

    def __init__(self, describe: Describe, reader_timeout_s: float = READER_TIMEOUT_S) -> None:
        self._describe = describe
        self._reader_timeout_s = reader_timeout_s
        self._is_begun = False
        self._send: Send | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        self._send = send
        work = asyncio.create_task(self._work(scope, receive))
        watch = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and isinstance(work.exception(), NobodyReads | TimeoutError):
                log.info("a client does not read its answer; it is given up")
                _abort(scope)
                await watch
        finally:
            for task in (work, watch):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, NobodyReads, TimeoutError):
                    await task

    async def _work(self, scope: Scope, receive: Receive) -> None:
        try:
            await self.respond()
        except (NobodyReads, TimeoutError):
            raise
        except Exception as error:
            if isinstance(error, ModelManagerError | QueueFull):
                log.info("a request failed: %s: %s", type(error).__name__, error)
            else:
                log.error("a request failed", exc_info=error)
            if self._is_begun:
                told = json.dumps(body_for(error, self._describe))
                await self.write(b"data: " + told.encode() + b"\n\n")
                await self.end()
            else:
                assert self._send is not None
                await response_for(error, self._describe)(scope, receive, self._send)

    async def respond(self) -> None:
        """Make the answer with `begin`, `write` and `end`, or with `whole`."""
        raise NotImplementedError

    def sentence(self, error: BaseException) -> str:
        """What the client is told of an error."""
        told: str = body_for(error, self._describe)["error"]["message"]
        return told

    async def begin(self, content_type: str = EVENT_STREAM) -> None:
        """A stream follows."""
        headers = [(b"content-type", content_type.encode("latin-1")), (b"cache-control", b"no-store")]
        self._is_begun = True
        await self._put({"type": "http.response.start", "status": 200, "headers": headers})

    async def write(self, chunk: bytes) -> None:
        """More of the stream.

        Raises:
            TimeoutError: The client takes nothing.
        """
        await self._put({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self) -> None:
        """The stream is over."""
        await self._put({"type": "http.response.body", "body": b""})

    async def whole(self, body: Any) -> None:
        """Everything at once."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await self._put({"type": "http.response.start", "status": 200, "headers": headers})
        # In pieces: each waits for its reader, where a large one would only fill memory.
        for start in range(0, len(data), _PIECE_BYTES):
            await self.write(data[start : start + _PIECE_BYTES])
        await self.end()

    async def _put(self, message: Message) -> None:
        assert self._send is not None
        async with asyncio.timeout(self._reader_timeout_s):
            await self._send(message)


class Passing(Reply):
    """An answer that goes through as the engine makes it."""

    def __init__(self, relay: Relay, call: Call, describe: Describe, reader_timeout_s: float) -> None:
        super().__init__(describe, reader_timeout_s)
        self._relay = relay
        self._call = call

    async def respond(self) -> None:
        """See `Reply`."""
        async with self._relay.open(self._call) as upstream:
            if not self._call.is_stream:
                body = await upstream.read()
            else:
                await self.begin(upstream.content_type)
                async for chunk in upstream.chunks():
                    await self.write(chunk)
        if self._call.is_stream:
            await self.end()
        else:
            await self.whole(body)


class Making(Reply):
    """An answer that a function makes of an engine's."""

    def __init__(
        self, make: Callable[[Making], Awaitable[None]], describe: Describe, reader_timeout_s: float
    ) -> None:
        super().__init__(describe, reader_timeout_s)
        self._make = make

    async def respond(self) -> None:
        """See `Reply`."""
        await self._make(self)


async def events_in(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The objects of a stream of server-sent events, up to `[DONE]`; comments are passed over.

    Raises:
        AnswerUnreadable: An event is none.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            event = json_or_none(data)
            if not isinstance(event, dict):
                raise AnswerUnreadable("an event is not a JSON object")
            yield event


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _abort(scope: Scope) -> None:
    """Cut the connection: what waits in its buffers would keep it open for as long as the client likes."""
    transport = scope.get("state", {}).get("transport")
    if transport is not None:
        transport.abort()
