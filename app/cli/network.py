"""`coterie doctor --network`: what was asked of whom, and who may be asked at all."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from app.cli.output import print_json, print_table
from app.console import Console
from app.services import Services
from model_manager.request_log import RequestRecord
from ui import formats
from ui.i18n import tr


def show_network(limit: int, as_json: bool, services: Services, console: Console) -> int:
    """Print the log of requests, the newest last, then the switch and the allowed hosts.

    Args:
        limit: The last so many requests.
        as_json: One object instead of a table; times are UTC there, and local in the table.
        services: Whose door it is.
        console: Where to.
    """
    door = services.http
    records = door.log.last(limit)
    if as_json:
        print_json(
            console,
            {
                "is_offline": door.is_offline(),
                "allowed": list(door.allowed()),
                "log": None if door.log.path is None else str(door.log.path),
                "requests": [asdict(record) for record in records],
            },
        )
        return 0
    print_table(console, [_row(record) for record in records], right=[4, 5])
    if records:
        console.out("\n")
    else:
        console.out(tr("No request was made yet.") + "\n\n")
    hosts = ", ".join(door.allowed())
    if door.is_offline():
        console.out(tr("The offline switch is on: nothing leaves this machine.") + "\n")
    else:
        console.out(tr("The offline switch is off. These may be asked: {hosts}.", hosts=hosts) + "\n")
    return 0


def _row(record: RequestRecord) -> list[str]:
    return [
        _local(record.at),
        record.why or "?",
        record.method,
        f"{record.host}{record.path}",
        record.error if record.status is None else str(record.status),
        formats.size(record.received_bytes),
    ]


def _local(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return at
