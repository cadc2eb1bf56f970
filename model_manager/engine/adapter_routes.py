"""The worker's routes for LoRA adapters: which are in force, and others in their place."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from model_manager.engine.host import Host
from model_manager.engine.intake import object_of
from model_manager.errors import RequestRefused
from model_manager.plans import adapter_values
from model_manager.types import Adapter

_PATH = "/coterie/v1/adapters"


def adapter_routes(host: Host) -> list[Route]:
    """Both."""

    async def show(_request: Request) -> JSONResponse:
        return JSONResponse({"adapters": adapter_values(host.adapters)})

    async def change(request: Request) -> JSONResponse:
        adapters = _adapters(await object_of(request))
        await asyncio.to_thread(host.set_adapters, adapters)
        return JSONResponse({"adapters": adapter_values(host.adapters)})

    return [Route(_PATH, show), Route(_PATH, change, methods=["POST"])]


def _adapters(fields: dict[str, Any]) -> tuple[Adapter, ...]:
    rows = fields.get("adapters")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RequestRefused(400, "adapters: a list of objects is needed")
    adapters = []
    for row in rows:
        path, scale = row.get("path"), row.get("scale", 1.0)
        if not isinstance(path, str) or not Path(path).is_absolute():
            raise RequestRefused(400, "adapters: path: a whole path is needed")
        if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not math.isfinite(scale):
            raise RequestRefused(400, "adapters: scale: a number is needed")
        adapters.append(Adapter(Path(path), float(scale)))
    if len({adapter.path for adapter in adapters}) != len(adapters):
        raise RequestRefused(400, "adapters: a path twice")
    return tuple(adapters)
