"""What may be typed after `coterie`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import NoReturn

from app.errors import BadUsage

_COMMANDS = (
    "chat",
    "serve",
    "models",
    "adapters",
    "engines",
    "conversations",
    "knowledge",
    "prompts",
    "backup",
    "inspect",
    "settings",
    "tokens",
    "doctor",
    "self-check",
)
"""Each has a module here of its name, which is loaded when it is typed: the window starts without any."""


class HelpWanted(Exception):
    """`--help` or `--version`: the text is the answer."""


class _Parser(argparse.ArgumentParser):
    """Raises instead of writing and ending: a command may run for another process."""

    def error(self, message: str) -> NoReturn:
        # argparse calls a value by the function of ours that did not take it.
        words = re.sub(r"invalid _\w+ value", "invalid value", message)
        raise BadUsage(f"{self.format_usage()}{self.prog}: {words}")

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
        With `run`, which takes these arguments, the services and a console and returns the exit code, or
        None for the window; `data_dir`, `verbosity`, `json`.

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
    for name in _named_in(argv):
        import_module(f"app.cli.{name.replace('-', '_')}").add_parser(commands, [common])
    return parser.parse_args(list(argv))


def _named_in(argv: Sequence[str]) -> Sequence[str]:
    """The command, none for the window; all where help is wanted or nothing makes sense."""
    parser = _Parser(add_help=False)
    _add_common(parser, is_root=True)
    try:
        _known, rest = parser.parse_known_args(list(argv))
    except BadUsage:
        return _COMMANDS
    if not rest:
        return ()
    return rest[:1] if rest[0] in _COMMANDS else _COMMANDS


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
