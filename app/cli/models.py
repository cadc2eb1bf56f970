"""`coterie models`: the library and the downloads."""

from __future__ import annotations

import argparse
from typing import Any

from app.cli import cache, catalogue, discover, downloads, fit, library, placement, quantize, tune


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and what can be done with models."""
    parser = commands.add_parser("models", parents=parents, help="local models and downloads")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(name, parents=parents, help=help_text)
        made.set_defaults(run=run)
        return made

    discover.add_actions(action)
    catalogue.add_action(action)
    library.add_actions(action)
    downloads.add_actions(action)
    fit.add_action(action)
    placement.add_actions(action)
    tune.add_action(action)
    quantize.add_action(action)
    cache.add_parser(actions, parents)
