"""Writes down every address that a Python process looks up or sends to, before it does.

With this folder first in `PYTHONPATH`, every Python process of a test loads it at its start, workers too.
One JSON line each goes into the file that `NETWORK_GUARD` names. An audit hook sees the calls of all Python
code and cannot be taken out again; what compiled code does by itself only `strace` sees.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_FILE = os.environ.get("NETWORK_GUARD")
_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_SENDINGS = ("socket.connect", "socket.sendto", "socket.sendmsg")


def _note(event: str, address: object) -> None:
    line = json.dumps({"pid": os.getpid(), "event": event, "address": address}, default=str) + "\n"
    file = os.open(str(_FILE), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _LOOK_UPS:
        _note(event, arguments[0])
    elif event in _SENDINGS and arguments[1] is not None:
        _note(event, arguments[1])


if _FILE:
    _note("start", sys.orig_argv)
    sys.addaudithook(_watch)
