"""What a model took when it was last loaded here: kept with its entry, beside what was forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from model_manager.types import DeviceMemory, EngineInfo

_NUMBERS = tuple(field.name for field in fields(DeviceMemory) if field.name != "device")


@dataclass(frozen=True, slots=True)
class MeasuredMemory:
    """Of one load.

    Attributes:
        at: Day and time, in ISO 8601.
        cache_type: Of keys.
        own_bytes: Of the worker's process before it loaded anything.
        n_layers_offloaded: 0 where everything was on the processor.
    """

    at: str
    n_ctx_tokens: int
    cache_type: str
    own_bytes: int
    n_layers_offloaded: int
    memory: tuple[DeviceMemory, ...]

    @property
    def total_bytes(self) -> int:
        """On all devices, the process included."""
        return self.own_bytes + sum(device.total_bytes for device in self.memory)


def measured_values(info: EngineInfo, at: str) -> dict[str, Any]:
    """What is kept of a load, as JSON values.

    Args:
        info: Of a model that is ready, with its placement.
        at: Now, in ISO 8601.
    """
    placement = info.placement
    assert placement is not None
    return {
        "at": at,
        "n_ctx_tokens": info.n_ctx_tokens,
        "cache_type": placement.cache_type_k,
        "own_bytes": placement.own_bytes,
        "n_layers_offloaded": placement.n_layers_offloaded,
        "memory": [asdict(device) for device in placement.memory],
    }


def kept_measured(value: Mapping[str, Any]) -> MeasuredMemory | None:
    """The inverse; None where there is nothing, or what another program has written."""
    rows = value.get("memory")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return None
    numbers = [value.get(name) for name in ("n_ctx_tokens", "own_bytes", "n_layers_offloaded")]
    numbers += [row.get(name, 0) for row in rows for name in _NUMBERS]
    if not all(isinstance(number, int) for number in numbers) or not isinstance(value.get("at"), str):
        return None
    return MeasuredMemory(
        at=value["at"],
        n_ctx_tokens=value["n_ctx_tokens"],
        cache_type=str(value.get("cache_type", "")),
        own_bytes=value["own_bytes"],
        n_layers_offloaded=value["n_layers_offloaded"],
        memory=tuple(
            DeviceMemory(str(row.get("device", "")), **{name: row.get(name, 0) for name in _NUMBERS})
            for row in rows
        ),
    )
