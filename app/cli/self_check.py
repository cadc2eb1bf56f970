"""`coterie self-check`: one answer through everything, stored and read back."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from app import self_check
from app.cli.output import print_json
from app.console import Console
from app.services import Services


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command; it works in a folder of its own and needs no owner."""
    parser = commands.add_parser("self-check", parents=parents, help="see that everything works together")
    parser.set_defaults(run=run, needs_owner=False)


def run(arguments: argparse.Namespace, _services: Services | None, console: Console) -> int:
    """Print every check; 1 when one failed."""
    checks = self_check.run()
    ok = all(check.ok for check in checks)
    if arguments.json:
        print_json(console, {"ok": ok, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            console.out(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}\n")
    return 0 if ok else 1
