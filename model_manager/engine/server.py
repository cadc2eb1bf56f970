"""The HTTP side of a worker. Routes and bodies: docs/api.md."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hmac
import json
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from model_manager.engine.adapter_routes import adapter_routes
from model_manager.engine.answers import Answer, Handle
from model_manager.engine.bodies import info_body
from model_manager.engine.choices import Choices
from model_manager.engine.embeddings import EmbeddingsRequest
from model_manager.engine.failures import error_body, status_of
from model_manager.engine.host import Host, Prepared
from model_manager.engine.inspection import inspection_routes
from model_manager.engine.intake import body_of, object_of
from model_manager.engine.protocol import ChatCompletionRequest
from model_manager.errors import EngineError, RequestRefused

log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 1.0
_EVENT_STREAM: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
]


def build_app(host: Host, token: str | None = None) -> ASGIApp:
    """The application of a worker.

    Args:
        host: The model.
        token: Demanded of every request as a bearer token, together with a loopback `Host`; None on a
            Unix socket, where the file's mode is the lock.
    """
    app: ASGIApp = Starlette(
        routes=worker_routes(host),
        exception_handlers={EngineError: _on_engine_error, HTTPException: _on_http_error},
    )
    return app if token is None else _Guard(app, token)


def worker_routes(host: Host) -> list[Route]:
    """All that a worker answers to."""
    routes = _Routes(host)
    return [
        Route("/health", routes.health),
        Route("/v1/models", routes.models),
        Route("/v1/chat/completions", routes.chat, methods=["POST"]),
        Route("/coterie/v1/load", routes.load),
        Route("/v1/embeddings", routes.embeddings, methods=["POST"]),
        Route("/coterie/v1/tokenize", routes.tokenize, methods=["POST"]),
        Route("/coterie/v1/detokenize", routes.detokenize, methods=["POST"]),
        Route("/coterie/v1/conclude", routes.conclude, methods=["POST"]),
        Route("/coterie/v1/forget", routes.forget, methods=["POST"]),
        *inspection_routes(host),
        *adapter_routes(host),
    ]


class _Routes:
    def __init__(self, host: Host) -> None:
        self._host = host

    async def health(self, _request: Request) -> JSONResponse:
        body = _state_body(self._host)
        return JSONResponse(body, status_code=200 if body["status"] == "ready" else 503)

    async def models(self, _request: Request) -> JSONResponse:
        state = self._host.state
        model: dict[str, Any] = {"id": state.name, "object": "model", "created": 0, "owned_by": "coterie"}
        if state.info is not None:
            model["coterie"] = info_body(state.info)
        return JSONResponse({"object": "list", "data": [model]})

    async def chat(self, request: Request) -> ASGIApp:
        body = await body_of(request)
        parsed, prepared = await asyncio.to_thread(self._prepare, body)
        n = parsed.n or 1
        answer = Answer(prepared.plan, self._host) if n == 1 else Choices(prepared.plan, self._host, n)
        kind = _StreamedAnswer if parsed.stream else _WholeAnswer
        return kind(self._host, prepared, answer)

    def _prepare(self, body: bytes) -> tuple[ChatCompletionRequest, Prepared]:
        parsed = ChatCompletionRequest.parse(body)
        return parsed, self._host.prepare(parsed)

    async def load(self, _request: Request) -> ASGIApp:
        return _EventStream(_load_events(self._host))

    async def tokenize(self, request: Request) -> JSONResponse:
        fields = await object_of(request)
        text = fields.get("text")
        if not isinstance(text, str):
            raise RequestRefused(400, "text: a string is needed")
        special = fields.get("special") is True
        tokens = await asyncio.to_thread(self._host.tokenize, text, special=special)
        return JSONResponse({"tokens": tokens})

    async def detokenize(self, request: Request) -> JSONResponse:
        fields = await object_of(request)
        tokens = fields.get("tokens")
        if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
            raise RequestRefused(400, "tokens: a list of token ids is needed")
        text, pieces = await asyncio.to_thread(self._host.detokenize, tokens)
        return JSONResponse({"text": text, "pieces": pieces})

    async def embeddings(self, request: Request) -> ASGIApp:
        parsed = EmbeddingsRequest.parse(await body_of(request))
        return _WholeEmbeddings(self._host, parsed)

    async def conclude(self, request: Request) -> JSONResponse:
        fields = await object_of(request)
        if not self._host.conclude(str(fields.get("id"))):
            raise RequestRefused(404, "no answer of this id is being made")
        return JSONResponse({})

    async def forget(self, request: Request) -> JSONResponse:
        fields = await object_of(request)
        self._host.forget_conversation(str(fields.get("conversation", "")))
        return JSONResponse({})


# --- answers ---------------------------------------------------------------------------------------------


class _AnswerResponse:
    """Runs a job for as long as somebody waits for it."""

    def __init__(self, host: Host, prepared: Prepared, answer: Answer | Choices) -> None:
        self._host = host
        self._prepared = prepared
        self._answer = answer

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        job = self._host.submit(self._prepared, self._answer)
        watch = asyncio.create_task(self._cancel_on_disconnect(job, receive))
        beat = asyncio.create_task(self._beat())
        try:
            await self._respond(send)
        finally:
            # Also when this task is cancelled, as at a shutdown: nobody reads any more.
            job.cancel()
            watch.cancel()
            beat.cancel()
            self._host.forget(self._prepared.plan.id)

    async def _respond(self, send: Send) -> None:
        raise NotImplementedError

    async def _cancel_on_disconnect(self, job: Handle, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        job.cancel()

    async def _beat(self) -> None:
        """While the decode thread is busy with others, tell the reader that it is."""
        seen = self._host.signs_of_life
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if self._host.signs_of_life != seen:
                seen = self._host.signs_of_life
                self._answer.beat()


class _StreamedAnswer(_AnswerResponse):
    async def _respond(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _EVENT_STREAM})
        async for chunk in self._answer.events():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class _WholeAnswer(_AnswerResponse):
    async def _respond(self, send: Send) -> None:
        async for _ in self._answer.events():
            pass
        ending = self._answer.ending
        error = ending.error if ending else None
        body = self._answer.result() if error is None else error_body(error)
        await send(
            {
                "type": "http.response.start",
                "status": 200 if error is None else status_of(error),
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


class _WholeEmbeddings:
    """Computes vectors for as long as somebody waits for them."""

    def __init__(self, host: Host, request: EmbeddingsRequest) -> None:
        self._host = host
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cancelled = threading.Event()
        watch = asyncio.create_task(self._cancel_on_disconnect(cancelled, receive))
        try:
            response = JSONResponse(await self._embed(cancelled))
        except EngineError as error:
            response = JSONResponse(error_body(error), status_code=status_of(error))
        finally:
            cancelled.set()
            watch.cancel()
        await response(scope, receive, send)

    async def _embed(self, cancelled: threading.Event) -> dict[str, Any]:
        # On a thread that ends with it: one that stays would slow the decoding, see `llama.model.load`.
        passing = concurrent.futures.ThreadPoolExecutor(1)
        try:
            made = await asyncio.wrap_future(
                passing.submit(self._host.embed, self._request.inputs, cancelled)
            )
        finally:
            passing.shutdown(wait=False)
        return self._request.body(made, self._host.state.name)

    @staticmethod
    async def _cancel_on_disconnect(cancelled: threading.Event, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        cancelled.set()


# --- loading ---------------------------------------------------------------------------------------------


class _EventStream:
    """A plain stream of events."""

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        self._events = events

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _EVENT_STREAM})
        async for chunk in self._events:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _load_events(host: Host) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    unsubscribe = host.subscribe(lambda: _call_soon(loop, changed))
    try:
        while True:
            body = _state_body(host)
            yield b"data: " + json.dumps(body).encode() + b"\n\n"
            if body["status"] != "loading":
                return
            await changed.wait()
            changed.clear()
    finally:
        unsubscribe()


def _call_soon(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(event.set)


def _state_body(host: Host) -> dict[str, Any]:
    state = host.state
    body: dict[str, Any] = {"status": state.status, "load_permille": state.load_permille}
    if state.info is not None:
        body["info"] = info_body(state.info)
    if isinstance(state.error, EngineError):
        body |= error_body(state.error)
    return body


# --- errors ----------------------------------------------------------------------------------------------


async def _on_engine_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EngineError)
    return JSONResponse(error_body(error), status_code=status_of(error))


async def _on_http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    refused = RequestRefused(error.status_code, error.detail)
    return JSONResponse(error_body(refused), status_code=error.status_code, headers=error.headers)


class _Guard:
    """Lets only those in who know the token and came by a loopback name (so no web page by rebinding)."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        name = headers.get(b"host", b"").decode("latin-1").rpartition(":")[0]
        is_known = hmac.compare_digest(headers.get(b"authorization", b""), self._expected)
        if is_known and name in ("127.0.0.1", "localhost") and b"origin" not in headers:
            await self._app(scope, receive, send)
            return
        refused = RequestRefused(401, "a token is needed")
        await JSONResponse(error_body(refused), status_code=401)(scope, receive, send)
