"""One run of the program: as the owner of the data folder, or through the one there is."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Sequence

from app import logs
from app.cli.failures import FAILED, USAGE, report
from app.cli.parser import HelpWanted, parse
from app.console import Terminal
from app.control import OwnerBusy, OwnerLink
from app.errors import BadUsage
from app.owner import Owner, acquire_or_connect
from app.paths import Paths, resolve
from ui.i18n import set_language, tr

_BUSY_RETRY_S = 0.05
_SILENT_WAIT_S = 1.0


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
    try:
        # The window has signals of its own. Here they hold from now on: opening may take a while, too.
        with terminal.signals() if arguments.run is not None else contextlib.nullcontext():
            if getattr(arguments, "needs_owner", True) is False:
                return int(arguments.run(arguments, None, terminal))
            return _run(argv, arguments, resolve(arguments.data_dir), terminal)
    except Exception as error:  # noqa: BLE001 : one clear line, whatever it was
        return report(error, terminal, as_json=arguments.json)


def _run(argv: Sequence[str], arguments: argparse.Namespace, paths: Paths, terminal: Terminal) -> int:
    while True:
        found = acquire_or_connect(paths)
        if isinstance(found, Owner):
            handlers = logs.start(paths, arguments.verbosity)
            try:
                return _own(arguments, paths, found, terminal)
            except Exception as error:  # noqa: BLE001 : while the log is open, for its trace
                return report(error, terminal, as_json=arguments.json)
            finally:
                found.close()
                logs.stop(handlers)
        try:
            return _relay(argv, arguments, found, terminal)
        except OwnerBusy:
            if arguments.run is None:
                words = tr("Another command uses this data folder. Try again when it has ended.")
                terminal.err(f"coterie: {words}\n")
                return FAILED
            time.sleep(_BUSY_RETRY_S)  # the owner is about to end: look again


def _own(arguments: argparse.Namespace, paths: Paths, owner: Owner, terminal: Terminal) -> int:
    if arguments.run is None:
        from app.main import run as run_window  # Qt's widgets, which no other command needs

        return run_window(paths, owner, arguments)
    # Not needed where another process is the owner and carries the command out.
    from app.cli.runner import relay_runner, run
    from app.services import Services
    from app.upgrading import upgrade_on_terminal

    upgrade_on_terminal(paths.database, terminal)
    services = Services(paths, owner.runtime_dir)
    try:
        set_language(services.setting("language"))
        owner.control.serve(relay_runner(services))
        code = run(arguments, services, terminal)
        # What others run here goes on until it has ended.
        if not terminal.is_told_to_end and not owner.control.wait_idle(_SILENT_WAIT_S):
            words = tr("Done; another command still uses this program, so it ends with that one.")
            terminal.err(f"coterie: {words}\n")
            owner.control.wait_idle()
        return code
    finally:
        owner.control.close()
        services.close()


def _relay(argv: Sequence[str], arguments: argparse.Namespace, link: OwnerLink, terminal: Terminal) -> int:
    if arguments.run is None:
        link.raise_window()
        return 0
    return link.run(argv, terminal)
