"""`coterie settings`: what holds for all conversations."""

from __future__ import annotations

import argparse
import json
from typing import Any

from app.cli.output import print_json, print_table
from app.console import Console
from app.services import Services
from storage.errors import NoSuchSetting

# Where the window lies is kept like a setting, but is none of a person's.
_HIDDEN = ("window_geometry", "window_state", "splitter_sizes", "last_conversation_id")


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("settings", parents=parents, help="show and change settings")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", parents=parents, help="all of them").set_defaults(run=list_settings)
    getting = actions.add_parser("get", parents=parents, help="one of them")
    getting.add_argument("key", metavar="KEY")
    getting.set_defaults(run=get)
    setting = actions.add_parser("set", parents=parents, help="change one; VALUE is JSON or plain text")
    setting.add_argument("key", metavar="KEY")
    setting.add_argument("value", metavar="VALUE")
    setting.set_defaults(run=set_value)


def list_settings(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print all settings."""
    values = {key: value for key, value in services.settings().items() if key not in _HIDDEN}
    if arguments.json:
        print_json(console, values)
    else:
        print_table(console, [[key, json.dumps(value)] for key, value in values.items()])
    return 0


def get(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print one setting as JSON."""
    if arguments.key not in services.settings():
        raise NoSuchSetting(arguments.key)
    print_json(console, services.setting(arguments.key))
    return 0


def set_value(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Change one setting."""
    try:
        value = json.loads(arguments.value)
    except ValueError:
        value = arguments.value
    services.set_setting(arguments.key, value)
    return 0
