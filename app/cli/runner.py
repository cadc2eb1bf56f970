"""Runs one parsed command in the owner, for its own terminal or for another process."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence

from app.cli.parser import HelpWanted, parse
from app.console import Console
from app.control import RunCommand
from app.errors import AppError, BadUsage, Interrupted
from app.services import Services
from app.words import sentence
from model_manager.errors import ModelManagerError
from storage.errors import StorageError

log = logging.getLogger(__name__)

FAILED = 1
USAGE = 2
INTERRUPTED = 130


def run(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Run a command; whatever it raises becomes one clear line and an exit code."""
    try:
        return int(arguments.run(arguments, services, console))
    except BaseException as error:  # noqa: BLE001 : a relayed command must not end its owner
        return report(error, console, as_json=arguments.json)


def report(error: BaseException, console: Console, *, as_json: bool = False) -> int:
    """Say an error on stderr; returns the exit code. What is our own mistake is logged with its trace."""
    if isinstance(error, Interrupted | KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BadUsage):
        console.err(f"{error}\n")
        return USAGE
    if not isinstance(error, ModelManagerError | StorageError | AppError | OSError):
        log.error("command failed", exc_info=error)
    text = sentence(error)
    if as_json:
        console.out(json.dumps({"type": "error", "error": type(error).__name__, "message": text}) + "\n")
    console.err(f"coterie: {text}\n")
    return FAILED


def relay_runner(services: Services) -> RunCommand:
    """What the owner's control socket runs for others."""

    def run_relayed(argv: Sequence[str], console: Console) -> int:
        try:
            arguments = parse(argv)
        except HelpWanted as wanted:
            console.out(str(wanted))
            return 0
        except BadUsage as error:
            return report(error, console)
        return run(arguments, services, console)

    return run_relayed
