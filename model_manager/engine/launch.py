"""What a supervisor tells a worker when it starts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_manager.types import Adapter, LoadPlan

_PATHS = ("model_path", "mmproj_path", "prompt_cache_dir", "draft_path")


@dataclass(frozen=True, slots=True)
class StartMessage:
    """What a worker is told on its stdin.

    Attributes:
        socket_path: Unix socket to listen on; None listens on a free loopback port.
        port_path: With a port: the file into which its number is written, and
        token: what every request must carry; None for a Unix socket, which only its owner can open.
    """

    plan: LoadPlan
    socket_path: Path | None = None
    port_path: Path | None = None
    token: str | None = None

    def to_line(self) -> bytes:
        """As one line of JSON: the fields of the plan, and `listen`."""
        fields: dict[str, Any] = plan_body(self.plan)
        fields["listen"] = {
            "socket_path": self.socket_path and str(self.socket_path),
            "port_path": self.port_path and str(self.port_path),
            "token": self.token,
        }
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> StartMessage:
        """The inverse of `to_line`."""
        fields: dict[str, Any] = json.loads(line)
        listen = fields.pop("listen")
        return cls(
            plan=plan_from(fields),
            socket_path=Path(listen["socket_path"]) if listen["socket_path"] else None,
            port_path=Path(listen["port_path"]) if listen["port_path"] else None,
            token=listen["token"],
        )


def plan_body(plan: LoadPlan) -> dict[str, Any]:
    """A plan as JSON values."""
    body: dict[str, Any] = json.loads(json.dumps(asdict(plan), default=str))
    return body


def plan_from(body: Mapping[str, Any]) -> LoadPlan:
    """The inverse of `plan_body`."""
    values = dict(body)
    for name in _PATHS:
        values[name] = values.get(name) and Path(values[name])
    values["tensor_overrides"] = tuple(
        (pattern, device) for pattern, device in values.get("tensor_overrides", ())
    )
    values["adapters"] = tuple(
        Adapter(Path(adapter["path"]), adapter["scale"]) for adapter in values.get("adapters", ())
    )
    values["model_sha256"] = tuple(values.get("model_sha256", ()))
    values["rpc_devices"] = tuple(values.get("rpc_devices", ()))
    return LoadPlan(**values)
