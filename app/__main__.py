"""The program: the window, every sub-command, and the worker process of an engine.

Nothing heavy is imported before it is known what was asked for: a worker must start fast, and so must a
command that another Coterie carries out.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line says; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # These are for our own processes only.
    if arguments[:1] == ["worker"]:
        from model_manager.engine import worker

        return worker.main(arguments[1:])
    if arguments[:1] == ["probe"]:
        from model_manager.engine import probe

        return probe.main(arguments[1:])
    if arguments[:1] == ["quantizer"]:
        from model_manager.engine import quantizer

        return quantizer.main(arguments[1:])
    if arguments[:1] == ["reader"]:
        from app import reading

        return reading.main(arguments[1:])
    if arguments[:1] == ["rpc-server"]:
        from model_manager.engine import rpc_server

        return rpc_server.main(arguments[1:])
    if arguments[:1] == ["system-report"]:
        from model_manager.engine import devices

        return devices.main()
    if arguments[:1] == ["print-pdf"]:
        from ui import printing

        return printing.main(arguments[1:])
    # While modules are loaded Ctrl+C ends the process at once: nothing is open yet, and an exception in the
    # middle of an extension's loading is printed as a crash. Commands and the window then take over.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from app import bundle
    from app.cli import program

    bundle.supply_starter()
    return program.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
