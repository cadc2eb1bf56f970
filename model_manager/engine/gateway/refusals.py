"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, with ours beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import JSONResponse

from model_manager import errors
from model_manager.engine.failures import error_body, status_of
from model_manager.engine.gateway.models import Describe
from model_manager.errors import EngineError, RequestRefused

_STATUSES: Final[Mapping[type[BaseException], int]] = {
    errors.ModelNotFound: 404,
    errors.EngineDied: 502,
    errors.EngineUnreachable: 502,
    errors.AnswerUnreadable: 502,
    errors.EngineStalled: 504,
    errors.Offline: 503,
    errors.HostRefused: 503,
}
_CODES: Final[Mapping[type[BaseException], str]] = {
    errors.ModelNotFound: "model_not_found",
    errors.PromptTooLong: "context_length_exceeded",
}
_KINDS: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_KIND_CODES: Final[Mapping[int, str]] = {
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    413: "request_too_large",
    415: "unsupported_media_type",
    429: "rate_limit_exceeded",
}
_NAMED_FIELD: Final = re.compile(r"([a-z_]+(?:\.\w+)*): ")
_WORD_BORDER: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class QueueFull(Exception):
    """More requests wait already than are taken.

    Attributes:
        retry_after_s: When there may be room again.
    """

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"{retry_after_s} s")
        self.retry_after_s = retry_after_s


def status_for(error: BaseException) -> int:
    """The HTTP status that says it."""
    if isinstance(error, QueueFull):
        return 429
    for kind in type(error).__mro__:
        if kind in _STATUSES:
            return _STATUSES[kind]
    return status_of(error) if isinstance(error, EngineError) else 500


def body_for(error: BaseException, describe: Describe) -> dict[str, Any]:
    """What a client is told: a sentence, OpenAI's names, and our own type with its facts."""
    status = status_for(error)
    kind = _KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    if isinstance(error, QueueFull):
        message = "Too many requests wait already. Try again later."
    elif isinstance(error, RequestRefused):
        message = error.reason
    else:
        message = describe(error)
    told: dict[str, Any] = {
        "message": message,
        "type": kind,
        "param": _param(error),
        "code": _code(error, status),
    }
    if isinstance(error, EngineError) and not isinstance(error, RequestRefused):
        told["coterie"] = error_body(error)["error"]
    return {"error": told}


def response_for(error: BaseException, describe: Describe) -> JSONResponse:
    """The whole response."""
    headers = {}
    if isinstance(error, QueueFull):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if status_for(error) == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body_for(error, describe), status_code=status_for(error), headers=headers)


def _param(error: BaseException) -> str | None:
    """The field of the request that is to blame, where one is."""
    if isinstance(error, errors.ModelNotFound):
        return "model"
    named = _NAMED_FIELD.match(error.reason) if isinstance(error, RequestRefused) else None
    return named[1] if named else None


def _code(error: BaseException, status: int) -> str:
    if isinstance(error, RequestRefused):
        return _KIND_CODES.get(status, "invalid_request" if status < 500 else "server_error")
    for kind in type(error).__mro__:
        if kind in _CODES:
            return _CODES[kind]
    if isinstance(error, QueueFull):
        return _KIND_CODES[429]
    return _WORD_BORDER.sub("_", type(error).__name__).lower()
