"""Runs one parsed command in the owner, for its own terminal or for another process."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from app.cli.failures import report
from app.cli.parser import HelpWanted, parse
from app.console import Console
from app.control import RunCommand
from app.errors import BadUsage
from app.services import Services
from model_manager.tokens import tokens_of


def run(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Run a command; whatever it raises becomes one clear line and an exit code."""
    try:
        return int(arguments.run(arguments, services, console))
    except BaseException as error:  # noqa: BLE001 : a relayed command must not end its owner
        return report(error, console, as_json=arguments.json)


def relay_runner(services: Services, done: Callable[[], None] | None = None) -> RunCommand:
    """What the owner's control socket runs for others.

    Args:
        services: Of the owner.
        done: Called on the command's thread when it has ended, whatever it did; for a window to look again.
    """

    def run_relayed(argv: Sequence[str], console: Console) -> int:
        try:
            arguments = parse(argv)
        except HelpWanted as wanted:
            console.out(str(wanted))
            return 0
        except BadUsage as error:
            return report(error, console)
        # What the caller has set is the caller's: its own tokens go before those of this process.
        with services.tokens.of_caller(tokens_of(console.variable)):
            code = run(arguments, services, console)
        if done is not None:
            done()
        return code

    return run_relayed
