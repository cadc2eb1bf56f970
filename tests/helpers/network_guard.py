"""Who tried to reach another machine: by an audit hook in every Python process, or `strace` below all code.

A unix socket is no network, and loopback does not leave the machine; both are told apart, none is left out.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FORWARD_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyname")
GUARD_FOLDER = Path(__file__).parent / "guard"
_CONNECT = re.compile(
    r"(?:connect|sendto|sendmsg)\(.*?sa_family=(AF_\w+)"
    r"(?:.*?(?:sin_addr=inet_addr\(\"|inet_pton\(AF_INET6, \")([^\"]+))?"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One look-up or one sending.

    Attributes:
        host: A name or an address; "" for a socket that has none (unix, netlink).
    """

    event: str
    host: str

    @property
    def leaves_machine(self) -> bool:
        if not self.host or self.host == "localhost":
            return False
        try:
            address = ipaddress.ip_address(self.host.partition("%")[0])
            # To look up an address in numbers asks nobody.
            return not address.is_loopback and self.event not in _FORWARD_LOOK_UPS
        except ValueError:
            return True  # a name that somebody would have to be asked about


class AuditGuard:
    """For subprocesses that are started with `environment`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        paths = [str(GUARD_FOLDER), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            "NETWORK_GUARD": str(file),
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }

    def commands(self) -> list[list[str]]:
        """The command lines of all processes that were watched."""
        return [event["address"] for event in self._events() if event["event"] == "start"]

    def attempts(self) -> list[Attempt]:
        return [
            Attempt(event["event"], _host(event["address"]))
            for event in self._events()
            if event["event"] != "start"
        ]

    def _events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._file.read_text("utf-8").splitlines()]


def _host(address: Any) -> str:
    """Of `(host, port, ...)` or of a bare name; the path of a unix socket is none."""
    if isinstance(address, list):
        return str(address[0])
    return "" if address is None or str(address).startswith(("/", "b'", "\0")) else str(address)


def strace_works() -> bool:
    """Whether it is here and may look at other processes."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-f", "-e", "trace=connect", "true"], capture_output=True).returncode == 0


def strace_prefix(file: Path) -> list[str]:
    """What stands before a command line so that `file` gets all its connecting, its children's too."""
    return ["strace", "-f", "-qq", "-s", "0", "-e", "trace=connect,sendto,sendmsg", "-o", str(file)]


def strace_attempts(file: Path) -> list[Attempt]:
    found = (_CONNECT.search(line) for line in file.read_text("utf-8").splitlines())
    return [Attempt(match[1], match[2] or "") for match in found if match is not None]
