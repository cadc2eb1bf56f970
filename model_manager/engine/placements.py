"""JSON of a placement: of where a model lies, as an engine tells it and a forecast shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from model_manager.types import Adapter, DeviceMemory, Forecast, Placement

_NUMBERS = ("own_bytes", "n_layers_offloaded", "n_cpu_expert_layers", "n_experts_used_trained")
_WORDS = ("cache_type_k", "cache_type_v", "load_mode")


def placement_body(placement: Placement) -> dict[str, Any]:
    """As JSON values."""
    body: dict[str, Any] = json.loads(json.dumps(asdict(placement), default=str))
    return body


def placement_from(body: object) -> Placement | None:
    """The inverse of `placement_body`; None for what is none, an engine that does not tell for instance."""
    if not isinstance(body, Mapping):
        return None
    rows = body.get("memory")
    adapters = body.get("adapters")
    devices = body.get("rpc_devices")
    numbers = {name: body[name] for name in _NUMBERS if isinstance(body.get(name), int)}
    words = {name: body[name] for name in _WORDS if isinstance(body.get(name), str)}
    return Placement(
        **numbers,
        **words,
        memory=tuple(memory_from(row) for row in rows if isinstance(row, Mapping))
        if isinstance(rows, list)
        else (),
        use_repack=body.get("use_repack") is not False,
        adapters=tuple(adapter_from(row) for row in adapters if isinstance(row, Mapping))
        if isinstance(adapters, list)
        else (),
        rpc_devices=tuple(map(str, devices)) if isinstance(devices, list) else (),
    )


def forecast_body(forecast: Forecast) -> dict[str, Any]:
    """As JSON values."""
    return asdict(forecast)


def forecast_from(body: object) -> Forecast | None:
    """The inverse of `forecast_body`; None for what is none."""
    if not isinstance(body, Mapping) or not isinstance(body.get("memory"), list):
        return None
    return Forecast(
        n_ctx_tokens=int(body["n_ctx_tokens"]),
        n_ctx_train_tokens=int(body["n_ctx_train_tokens"]),
        memory=tuple(memory_from(row) for row in body["memory"]),
        free_bytes=tuple(int(free) for free in body["free_bytes"]),
        n_layers_offloaded=int(body["n_layers_offloaded"]),
        is_repacked=bool(body["is_repacked"]),
    )


def memory_from(body: Mapping[str, Any]) -> DeviceMemory:
    """One device's; what is left out is 0."""
    names = [field.name for field in fields(DeviceMemory) if field.name != "device"]
    numbers = {name: body[name] for name in names if isinstance(body.get(name), int)}
    return DeviceMemory(device=str(body.get("device", "")), **numbers)


def adapter_from(body: Mapping[str, Any]) -> Adapter:
    """One adapter."""
    scale = body.get("scale")
    return Adapter(Path(str(body.get("path", ""))), float(scale) if isinstance(scale, (int, float)) else 1.0)
