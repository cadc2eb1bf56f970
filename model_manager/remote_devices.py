"""Other machines that a model computes on, by llama.cpp's RPC: who may be asked, and the record of it.

Their addresses are typed in by a person. What goes there is neither encrypted nor authenticated, llama.cpp
opens the connection itself, and so a load asks here first.
"""

from __future__ import annotations

from datetime import UTC, datetime

from model_manager.errors import Offline
from model_manager.hosts import is_loopback
from model_manager.http import Http
from model_manager.request_log import RequestRecord


def is_elsewhere(endpoint: str) -> bool:
    """Whether a "host:port" is not on this machine."""
    return not is_loopback(endpoint.rpartition(":")[0])


def admit(endpoint: str, http: Http) -> None:
    """Note in the network log that a model is about to compute on another machine.

    Args:
        endpoint: As "host:port"; of this machine nothing is noted.
        http: The door to the network, for its switch and its log.

    Raises:
        Offline: The switch is on, and the address is not on this machine.
    """
    if not is_elsewhere(endpoint):
        return
    host = endpoint.rpartition(":")[0]
    is_offline = http.is_offline()
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    error = "offline" if is_offline else ""
    http.log.add(RequestRecord(at, "RPC", host, endpoint, None, 0, "compute device", error))
    if is_offline:
        raise Offline(host)
