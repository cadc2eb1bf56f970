"""One run of the program: as the owner of the data folder, or through the one there is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from app import logs
from app.cli.parser import HelpWanted, parse
from app.cli.runner import FAILED, USAGE, relay_runner, report, run
from app.console import Terminal
from app.control import OwnerBusy, OwnerLink
from app.errors import AppError, BadUsage
from app.owner import Owner, acquire_or_connect
from app.paths import Paths, resolve
from app.services import Services
from storage.errors import StorageError


def main(argv: Sequence[str]) -> int:
    """Run what the command line says; returns the exit code."""
    terminal = Terminal()
    try:
        arguments = parse(argv)
    except HelpWanted as wanted:
        terminal.out(str(wanted))
        return 0
    except BadUsage as error:
        terminal.err(f"{error}\n")
        return USAGE
    paths = resolve(arguments.data_dir)
    if getattr(arguments, "needs_owner", True) is False:
        return int(arguments.run(arguments, None, terminal))
    try:
        return _run(argv, arguments, paths, terminal)
    except (AppError, StorageError) as error:
        return report(error, terminal, as_json=arguments.json)


def _run(argv: Sequence[str], arguments: argparse.Namespace, paths: Paths, terminal: Terminal) -> int:
    while True:
        found = acquire_or_connect(paths)
        if isinstance(found, Owner):
            handlers = logs.start(paths, arguments.verbosity)
            try:
                return _own(arguments, paths, found, terminal)
            finally:
                found.close()
                logs.stop(handlers)
        try:
            return _relay(argv, arguments, found, terminal)
        except OwnerBusy:
            if arguments.run is None:
                terminal.err("coterie: another command uses this data folder; try again when it has ended.\n")
                return FAILED
            continue  # the owner is about to end: look again


def _own(arguments: argparse.Namespace, paths: Paths, owner: Owner, terminal: Terminal) -> int:
    if arguments.run is None:
        from app.main import run as run_window  # Qt's widgets, which no other command needs

        return run_window(paths, owner, arguments)
    services = Services(paths, owner.runtime_dir)
    try:
        owner.control.serve(relay_runner(services))
        with terminal.signals():
            code = run(arguments, services, terminal)
            # What others run here goes on until it has ended.
            owner.control.wait_idle()
        return code
    finally:
        owner.control.close()
        services.close()


def _relay(argv: Sequence[str], arguments: argparse.Namespace, link: OwnerLink, terminal: Terminal) -> int:
    if arguments.run is None:
        link.raise_window()
        return 0
    with terminal.signals():
        return link.run(argv, terminal)
