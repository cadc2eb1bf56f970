"""`coterie doctor`: what is here, and what is wrong."""

from __future__ import annotations

import argparse
import json
from typing import Any

from app import doctor
from app.cli import database_care
from app.cli.choices import positive
from app.cli.network import show_network
from app.cli.output import print_json, print_table
from app.console import Console
from app.errors import BadUsage
from app.services import Services
from ui import formats
from ui.i18n import tr


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("doctor", parents=parents, help="processor, memory, disk, versions, paths")
    parser.add_argument(
        "--network", action="store_true", help="every request that was made, and who may be asked"
    )
    database_care.add_options(parser)
    parser.add_argument("--limit", metavar="N", type=positive, default=100, help="of these, the last N")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print what was found; 1 when something keeps the program from working."""
    if arguments.network:
        return show_network(arguments.limit, arguments.json, services, console)
    if arguments.database:
        return database_care.care(arguments, services, console)
    if arguments.compact or arguments.repair:
        raise BadUsage(tr("coterie: --compact and --repair need --database."))
    report = doctor.examine(services)
    if arguments.json:
        print_json(console, report.facts | {"warnings": report.warnings, "failures": report.failures})
        return 1 if report.failures else 0
    rows = [[f"{topic} {name}", _shown(name, value)] for topic, name, value in _flat(report.facts)]
    print_table(console, rows)
    for sentence in report.failures + report.warnings:
        console.out(f"\n! {sentence}\n")
    return 1 if report.failures else 0


def _flat(facts: dict[str, Any]) -> list[tuple[str, str, Any]]:
    found = []
    for topic, values in facts.items():
        pairs = values.items() if isinstance(values, dict) else enumerate(values)
        found += [(topic, str(name), value) for name, value in pairs]
    return found


def _shown(name: str, value: Any) -> str:
    if name.endswith("_bytes"):
        return formats.size(value)
    if isinstance(value, dict):
        return "  ".join(_shown(key, inner) for key, inner in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)
