"""What may be typed after `coterie`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NoReturn

from app.cli import (
    adapters,
    backup,
    chat,
    conversations,
    doctor,
    engines,
    inspect,
    knowledge,
    models,
    prompts,
    self_check,
    serve,
    settings,
    tokens,
)
from app.console import Console
from app.errors import BadUsage
from app.services import Services

RunCommand = Callable[[argparse.Namespace, Services, Console], int]

_COMMANDS = (
    *(
        chat,
        serve,
        models,
        adapters,
        engines,
        conversations,
        knowledge,
        prompts,
        backup,
        inspect,
        settings,
        tokens,
        doctor,
    ),
    self_check,
)


class HelpWanted(Exception):
    """`--help` or `--version`: the text is the answer."""


class _Parser(argparse.ArgumentParser):
    """Raises instead of writing and ending: a command may run for another process."""

    def error(self, message: str) -> NoReturn:
        raise BadUsage(f"{self.format_usage()}{self.prog}: {message}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpWanted(message or "")

    def print_help(self, file: object = None) -> None:
        raise HelpWanted(self.format_help())


class _Version(argparse.Action):
    def __call__(self, *_arguments: object, **_named: object) -> None:
        raise HelpWanted(f"coterie {version('coterie')}\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line.

    Returns:
        With `run`, a `RunCommand`, or None for the window; `data_dir`, `verbosity`, `json`.

    Raises:
        BadUsage: It makes no sense; the text says why.
        HelpWanted: The text is to be shown.
    """
    parser = _Parser("coterie", description="A private desktop assistant for mixture-of-experts models.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    _add_common(parser, is_root=True)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    common = _Parser(add_help=False)
    _add_common(common, is_root=False)
    for module in _COMMANDS:
        module.add_parser(commands, [common])
    return parser.parse_args(list(argv))


def _add_common(parser: argparse.ArgumentParser, *, is_root: bool) -> None:
    """Options that may stand before and after the command; there they must not undo what stood before."""
    unset = None if is_root else argparse.SUPPRESS
    parser.add_argument("--data-dir", metavar="DIR", default=unset, help="where everything is kept")
    parser.add_argument(
        "-v",
        "--verbose",
        dest="verbosity",
        action="count",
        default=0 if is_root else argparse.SUPPRESS,
        help="show the log on stderr; twice for more",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        default=False if is_root else argparse.SUPPRESS,
        help="print JSON, one object or one a line",
    )
