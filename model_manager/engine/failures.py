"""Errors on the wire: `{"error": {"type": ..., "message": ..., <facts>}}`, and back to the same type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from model_manager import errors
from model_manager.errors import EngineError, RequestRefused

# Each type with the names of its facts, which are its constructor's arguments in order, and its HTTP status.
_TYPES: Final[Mapping[type[EngineError], tuple[tuple[str, ...], int]]] = {
    errors.EmptyPrompt: ((), 400),
    errors.PromptTooLong: (("prompt_tokens", "n_ctx_tokens"), 400),
    errors.ContextTooLarge: (("n_ctx_tokens", "n_ctx_train_tokens"), 503),
    errors.TemplateFailed: (("reason",), 422),
    errors.ToolsUnsupported: ((), 422),
    errors.ImageRefused: (("reason",), 400),
    errors.NoVision: ((), 400),
    errors.LoadFailed: (("name", "reason"), 503),
    errors.BadOverride: (("pattern", "reason"), 503),
    errors.UnknownDevice: (("device", "known"), 503),
    errors.BadExpertCount: (("n_experts_used", "n_experts"), 503),
    errors.AdapterRefused: (("path", "reason"), 422),
    errors.AdapterMismatch: (("path", "name", "reason"), 422),
    errors.RpcUnreachable: (("endpoint", "reason"), 503),
    errors.NotEnoughMemory: (
        ("name", "device", "needed_bytes", "available_bytes", "fits_ctx_tokens"),
        503,
    ),
    errors.ProbeFailed: (("name", "ending", "last_words"), 503),
    errors.GrammarRefused: (("reason",), 400),
    errors.SchemaUnsupported: (("path", "reason"), 400),
    errors.ConstraintFailed: (("reason",), 500),
    errors.DecodeFailed: (("code",), 500),
    errors.DraftMismatch: (("name", "draft", "reason"), 503),
    errors.NoGuessingLayers: (("name",), 503),
    errors.TracingUnavailable: (("reason",), 501),
    errors.RequestRefused: (("status", "reason"), 400),
}
_BY_NAME: Final = {kind.__name__: (kind, facts) for kind, (facts, _status) in _TYPES.items()}
_ARGUMENT_TYPES: Final[Mapping[str, type]] = {
    "prompt_tokens": int,
    "n_ctx_tokens": int,
    "n_ctx_train_tokens": int,
    "code": int,
    "status": int,
    "name": str,
    "draft": str,
    "reason": str,
    "pattern": str,
    "device": str,
    "known": str,
    "n_experts_used": int,
    "n_experts": int,
    "path": str,
    "endpoint": str,
    "needed_bytes": int,
    "available_bytes": int,
    "fits_ctx_tokens": int,
    "ending": str,
    "last_words": str,
}

ERROR_TYPES: Final = tuple(_BY_NAME)
"""Names of all types that travel."""


def error_body(error: EngineError) -> dict[str, Any]:
    """What a client is told."""
    facts, _status = _TYPES.get(type(error), ((), 500))
    return {
        "error": {
            "type": type(error).__name__,
            "message": str(error),
            **{name: getattr(error, name) for name in facts},
        }
    }


def status_of(error: EngineError) -> int:
    """The HTTP status that says it."""
    if isinstance(error, RequestRefused):
        return error.status
    return _TYPES.get(type(error), ((), 500))[1]


def error_from(body: object, status: int) -> EngineError:
    """The error that a server met; `RequestRefused` for what has no type of its own."""
    told = body.get("error") if isinstance(body, Mapping) else None
    if isinstance(told, str):
        return RequestRefused(status, told)
    if not isinstance(told, Mapping):
        return RequestRefused(status, "")
    if isinstance(told.get("coterie"), Mapping):  # a gateway of ours, which says it in OpenAI's words as well
        told = told["coterie"]
    kind, names = _BY_NAME.get(str(told.get("type")), (None, ()))
    values = [told.get(name) for name in names]
    if kind is not None and all(
        isinstance(value, _ARGUMENT_TYPES[name]) for name, value in zip(names, values, strict=True)
    ):
        return kind(*values)
    return RequestRefused(status, str(told.get("message") or ""))


def error_in(body: bytes, status: int) -> EngineError:
    """The same of a body as it came; of one that is not in our form, its beginning is the reason."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    error = error_from(told, status)
    if isinstance(error, RequestRefused) and not error.reason:
        return RequestRefused(status, body[:500].decode("utf-8", "replace"))
    return error
