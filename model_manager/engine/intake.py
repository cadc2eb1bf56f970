"""The bodies that come in to a worker's routes, of which nothing is trusted."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from model_manager.engine.protocol import MAX_BODY_BYTES
from model_manager.errors import RequestRefused


async def body_of(request: Request) -> bytes:
    """The bytes of a body of JSON.

    Raises:
        RequestRefused: It says to be something else, is too large, or the client went away.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestRefused(415, "the body must be application/json")
    gathered = bytearray()
    try:
        async for chunk in request.stream():
            gathered += chunk
            if len(gathered) > MAX_BODY_BYTES:
                raise RequestRefused(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect:
        raise RequestRefused(499, "the client went away") from None
    return bytes(gathered)


async def object_of(request: Request) -> dict[str, Any]:
    """The object that a body holds.

    Raises:
        RequestRefused: It holds something else; see `body_of`.
    """
    try:
        fields = json.loads(await body_of(request))
    except ValueError:
        raise RequestRefused(400, "the body is not JSON") from None
    if not isinstance(fields, dict):
        raise RequestRefused(400, "the body is not an object")
    return fields
