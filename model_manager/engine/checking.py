"""What is wrong with a request's body, in one line for whoever wrote the client."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import ValidationError

from model_manager.errors import RequestRefused

STATUS: Final = 400


def refusal(error: ValidationError, body: bytes | dict[str, Any]) -> RequestRefused:
    """The refusal of a body, its reason in the form `field.0.field: why`.

    Args:
        error: What the model of the body says.
        body: What was sent, as it came or as it says.
    """
    told = error.errors(include_url=False, include_input=False)
    # Of a field with several forms, the form that fits best failed deepest in it.
    field = told[0]["loc"][:1]
    best = max((one for one in told if one["loc"][:1] == field), key=lambda one: len(one["loc"]))
    # What our own checks raise: its message has "Value error, " before it.
    reason = str(best["ctx"]["error"] if best["type"] == "value_error" else best["msg"])
    fields = json.loads(body) if isinstance(body, bytes) and field else body
    path = _path(best["loc"], fields, is_missing=best["type"] == "missing")
    where = ".".join(map(str, path))
    return RequestRefused(STATUS, f"{where}: {reason}" if where else reason)


def _path(loc: tuple[int | str, ...], fields: object, *, is_missing: bool) -> list[int | str]:
    """The place in the body: without the names of forms, which the library puts between its fields."""
    path: list[int | str] = []
    here: Any = fields
    for part in loc:
        if (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int)):
            path.append(part)
            here = here[part]  # type: ignore[index]  # it was looked up
    return [*path, loc[-1]] if is_missing else path
