"""The routes of the gateway. What they take and give is documented in docs/api.md."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from model_manager.engine.client import Cancel
from model_manager.engine.failures import error_in
from model_manager.engine.gateway.completions import Completing
from model_manager.engine.gateway.guard import ALL_BODIES_BYTES, BodyBudget, read_object
from model_manager.engine.gateway.media import refuse_addresses
from model_manager.engine.gateway.models import Describe, Models, ServedModel
from model_manager.engine.gateway.queue import Queue
from model_manager.engine.gateway.refusals import QueueFull, response_for
from model_manager.engine.gateway.relay import Call, Relay
from model_manager.engine.gateway.replies import READER_TIMEOUT_S, Making, Passing
from model_manager.engine.gateway.responses import Responding
from model_manager.errors import ModelManagerError, ModelNotFound, RequestRefused

log = logging.getLogger(__name__)

CONTROL_TIMEOUT_S: Final = 30.0

_Handler = Callable[[Request], Awaitable[ASGIApp]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may cost the others.

    Attributes:
        n_running: Requests of one model at the same time; None is what its worker computes together and one.
        reader_timeout_s: How long a client with full buffers may take nothing.
        all_bodies_bytes: Of the requests that are read, wait or run, together.
    """

    n_running: int | None = None
    n_waiting: int = 256
    reader_timeout_s: float = READER_TIMEOUT_S
    all_bodies_bytes: int = ALL_BODIES_BYTES


def build_app(models: Models, describe: Describe, limits: Limits) -> tuple[Starlette, Relay]:
    """The application, and what runs in it, to be closed before it ends; `guard.Guard` belongs around it."""
    relay = Relay(models, Queue(limits.n_waiting))
    routes = _Routes(models, relay, describe, limits)

    async def on_error(_request: Request, error: Exception) -> Response:
        return response_for(error, describe)

    async def on_http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        refused = response_for(RequestRefused(error.status_code, f"{error.detail}: see /v1/models"), describe)
        refused.headers.update(error.headers or {})
        return refused

    app = Starlette(
        routes=routes.table(),
        exception_handlers={
            ModelManagerError: on_error,
            QueueFull: on_error,
            HTTPException: on_http_error,
        },
    )
    return app, relay


_STREAMED: Final = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/coterie/v1/routing")
_ANSWERS: Final = (*_STREAMED, "/v1/embeddings")
_CONTROLS: Final = ("/coterie/v1/tokenize", "/coterie/v1/detokenize", "/coterie/v1/conclude")
# Concerns an answer that runs; of a model that is not loaded there is none.
_ONLY_IF_LOADED: Final = ("/coterie/v1/conclude",)


class _Routes:
    def __init__(self, models: Models, relay: Relay, describe: Describe, limits: Limits) -> None:
        self._models = models
        self._relay = relay
        self._describe = describe
        self._limits = limits
        self._budget = BodyBudget(limits.all_bodies_bytes)

    def table(self) -> list[Route]:
        """All that the gateway answers to."""
        return [
            Route("/health", self.health),
            Route("/v1/models", self.list_models),
            Route("/v1/models/{model_id:path}", self.one_model),
            *(Route(path, self.answering(path), methods=["POST"]) for path in _ANSWERS),
            *(Route(path, self.control(path), methods=["POST"]) for path in _CONTROLS),
        ]

    async def health(self, _request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def list_models(self, _request: Request) -> JSONResponse:
        served = await run_in_threadpool(self._models.list)
        return JSONResponse({"object": "list", "data": [_model_body(model) for model in served]})

    async def one_model(self, request: Request) -> JSONResponse:
        return JSONResponse(_model_body(await self._find(request.path_params["model_id"])))

    def answering(self, path: str) -> _Handler:
        """What answers a request that needs a model and a turn."""

        async def answer(request: Request) -> ASGIApp:
            body, fields = await read_object(request, self._budget)
            try:
                reply = await self._begin(request, path, body, fields)
            except BaseException:
                self._budget.give_back(len(body))
                raise
            return _Counted(reply, lambda: self._budget.give_back(len(body)))

        return answer

    async def _begin(self, request: Request, path: str, body: bytes, fields: dict[str, Any]) -> ASGIApp:
        refuse_addresses(fields)
        model = await self._model_of(fields)
        call = Call(
            path=path,
            model_id=model.id,
            fields=fields,
            body=body,
            client=_client(request, fields),
            n_places=self._limits.n_running or model.n_parallel + 1,
            is_stream=path in _STREAMED and fields.get("stream") is True,
        )
        return self._reply(call, model)

    def _reply(self, call: Call, model: ServedModel) -> ASGIApp:
        timeout_s = self._limits.reader_timeout_s
        if call.path == "/v1/completions" and not model.is_remote:
            return Making(Completing(self._relay, call).make, self._describe, timeout_s)
        if call.path == "/v1/responses":
            return Making(Responding(self._relay, call).make, self._describe, timeout_s)
        return Passing(self._relay, call, self._describe, timeout_s)

    def control(self, path: str) -> _Handler:
        """What is passed to the model at once."""

        async def answer(request: Request) -> ASGIApp:
            body, fields = await read_object(request, self._budget)
            try:
                model = await self._model_of(fields)
                return await run_in_threadpool(self._control, path, model.id, body)
            finally:
                self._budget.give_back(len(body))

        return answer

    def _control(self, path: str, model_id: str, body: bytes) -> Response:
        cancel = Cancel()
        if path in _ONLY_IF_LOADED:
            served = self._models.peek(model_id)
            if served is None:
                raise RequestRefused(404, "no answer of this model is being made")
            answered = served.client.forward(path, body, cancel, read_timeout_s=CONTROL_TIMEOUT_S)
            with answered as answer:
                status, content = answer.status, b"".join(answer.chunks)
        else:
            with (
                self._models.use(model_id, cancel) as served,
                served.client.forward(path, body, cancel, read_timeout_s=CONTROL_TIMEOUT_S) as answer,
            ):
                status, content = answer.status, b"".join(answer.chunks)
        if status >= 400:
            raise error_in(content, status)
        return Response(content, media_type="application/json")

    async def _model_of(self, fields: dict[str, Any]) -> ServedModel:
        named = fields.get("model") or await run_in_threadpool(self._models.default)
        if not isinstance(named, str):
            raise RequestRefused(400, "model: a name is needed")
        return await self._find(named)

    async def _find(self, model_id: str) -> ServedModel:
        """By its name alone: what is sent from outside is never taken for a path."""
        for model in await run_in_threadpool(self._models.list):
            if model.id == model_id:
                return model
        raise ModelNotFound(model_id)


class _Counted:
    """A reply, and what is to be done when it is over."""

    def __init__(self, reply: ASGIApp, after: Callable[[], None]) -> None:
        self._reply = reply
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._reply(scope, receive, send)
        finally:
            self._after()


def _model_body(model: ServedModel) -> dict[str, Any]:
    body = {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by}
    return body | ({"coterie": dict(model.details)} if model.details else {})


def _client(request: Request, fields: dict[str, Any]) -> Hashable:
    """Whom fairness is about: an address and, if it tells several users apart, one of them."""
    user = fields.get("safety_identifier") or fields.get("user")
    return request.client.host if request.client else "", user if isinstance(user, str) else ""
