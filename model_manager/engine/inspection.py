"""The route that shows where tokens go: `POST /coterie/v1/routing`. Its bodies: docs/api.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from model_manager.engine.answers import DONE
from model_manager.engine.checking import refusal
from model_manager.engine.failures import error_body, status_of
from model_manager.engine.host import Host
from model_manager.engine.intake import body_of
from model_manager.engine.replay import Replay
from model_manager.engine.routing import Routing, joined, routing_body
from model_manager.engine.routing_summary import summarize, summary_body
from model_manager.errors import EngineError, RequestRefused

log = logging.getLogger(__name__)

_EVENT_STREAM: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
]


class RoutingRequest(BaseModel):
    """The body of `POST /coterie/v1/routing`.

    Attributes:
        tokens: Ids from the beginning of the prompt to the last token that is to be shown.
        first: Index of the first one that is to be shown.
        stream: Tell what is known as soon as it is.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    tokens: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    first: Annotated[int, Field(ge=0)] = 0
    stream: bool = False

    @classmethod
    def parse(cls, body: bytes) -> RoutingRequest:
        """Read a request's body.

        Raises:
            RequestRefused: It is not JSON, or has not what is needed.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise refusal(error, body) from None


def inspection_routes(host: Host) -> list[Route]:
    """What a worker tells of the inside of its model."""
    one_at_a_time = threading.Lock()

    async def routing(request: Request) -> ASGIApp:
        asked = RoutingRequest.parse(await body_of(request))
        replay = await asyncio.to_thread(host.replay, asked.tokens, asked.first)
        running = _Running(host, replay, one_at_a_time)
        return _StreamedRouting(running) if asked.stream else _WholeRouting(running)

    return [Route("/coterie/v1/routing", routing, methods=["POST"])]


class _Running:
    """A replay on a thread of its own, seen from the event loop."""

    def __init__(self, host: Host, replay: Replay, one_at_a_time: threading.Lock) -> None:
        self.replay = replay
        self._host = host
        self._one_at_a_time = one_at_a_time
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[Routing | None] | EngineError | None] = asyncio.Queue()

    async def parts(self) -> AsyncIterator[Routing | None]:
        """What the replay yields.

        Raises:
            EngineError: It failed.
        """
        # The thread ends with the replay: one that stays would slow the decoding, see `llama.model.load`.
        threading.Thread(target=self._compute, name="replay", daemon=True).start()
        while (item := await self._queue.get()) is not None:
            if isinstance(item, EngineError):
                raise item
            yield item[0]

    def _compute(self) -> None:
        try:
            with self._one_at_a_time:
                for part in self.replay.run():
                    self._host.touch()
                    self._put((part,))
        except EngineError as error:
            self._put(error)
        except Exception as error:
            log.exception("a replay failed")
            self._put(RequestRefused(500, repr(error)))
        else:
            self._put(None)

    def _put(self, item: tuple[Routing | None] | EngineError | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)


class _RoutingResponse:
    """Lets a replay run for as long as somebody waits for it."""

    def __init__(self, running: _Running) -> None:
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch = asyncio.create_task(self._cancel_on_disconnect(receive))
        try:
            await self._respond(scope, receive, send)
        finally:
            self._running.replay.cancel()
            watch.cancel()

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError

    async def _cancel_on_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._running.replay.cancel()


class _WholeRouting(_RoutingResponse):
    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            parts = [part async for part in self._running.parts() if part is not None]
            if not parts:
                return  # cancelled: nobody is there any more
            content = await asyncio.to_thread(_whole_body, parts)
            response = JSONResponse(content)
        except EngineError as error:
            response = JSONResponse(error_body(error), status_code=status_of(error))
        await response(scope, receive, send)


class _StreamedRouting(_RoutingResponse):
    async def _respond(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _EVENT_STREAM})
        replay = self._running.replay
        try:
            async for part in self._running.parts():
                event: dict[str, Any] = {"done": replay.n_done, "total": replay.n_tokens}
                if part is not None:
                    event["routing"] = routing_body(part)
                await _send_event(send, event)
        except EngineError as error:
            await _send_event(send, error_body(error))
        await send({"type": "http.response.body", "body": DONE})


async def _send_event(send: Send, event: dict[str, Any]) -> None:
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    await send({"type": "http.response.body", "body": data, "more_body": True})


def _whole_body(parts: list[Routing]) -> dict[str, Any]:
    routing = joined(parts)
    return routing_body(routing) | {"summary": summary_body(summarize(routing))}
