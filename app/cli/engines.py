"""`coterie engines`: servers with OpenAI's API whose models appear beside one's own."""

from __future__ import annotations

import argparse
from typing import Any

from app.cli.output import print_json, print_table, printable
from app.console import Console
from app.errors import BadUsage
from app.remotes import RemoteEngine, sends_key_openly
from app.secrets import ENVIRONMENT
from app.services import Services
from ui.i18n import tr


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("engines", parents=parents, help="models that other servers have")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", parents=parents, help="all of them").set_defaults(run=list_engines)
    adding = actions.add_parser("add", parents=parents, help="use a server; again to change it")
    adding.add_argument("name", metavar="NAME", help="for the list of models")
    adding.add_argument("url", metavar="URL", help="such as https://host:8000/v1")
    adding.add_argument("--model", metavar="MODEL", default="", help="what to ask it for; else its first")
    adding.add_argument(
        "--key-stdin", action="store_true", help=f"read its key from stdin (or set {ENVIRONMENT})"
    )
    adding.set_defaults(run=add)
    for name, run, help_text in (
        ("remove", remove, "use it no more, and forget its key"),
        ("test", test, "ask it what it offers"),
    ):
        action = actions.add_parser(name, parents=parents, help=help_text)
        action.add_argument("name", metavar="NAME")
        action.set_defaults(run=run)


def list_engines(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print all of them; keys are not shown."""
    engines = services.remotes.list()
    if arguments.json:
        print_json(console, [_as_json(engine) for engine in engines])
    else:
        print_table(console, [[engine.name, engine.url, engine.model] for engine in engines])
    return 0


def add(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Put one on the list. Nothing is sent to it."""
    key = console.variable(ENVIRONMENT)
    if arguments.key_stdin:
        line = console.read_line(tr("Key: ")) or ""
        key = line.strip()
        if not key or not key.isascii() or not key.isprintable():
            raise BadUsage(tr("coterie: the key on stdin must be one line of visible ASCII characters."))
    is_kept = services.remotes.add(
        arguments.name, arguments.url, arguments.model, key, services.library.list()
    )
    engine = services.remotes.get(arguments.name)
    if key is not None and not is_kept:
        words = tr(
            "No system keyring keeps the key, so it holds until this Coterie ends."
            " Set {variable} for the next.",
            variable=ENVIRONMENT,
        )
        console.err(f"coterie: {words}\n")
    if sends_key_openly(engine):
        words = tr(
            "What is sent to {url} can be read on the way. Use https if the server can.", url=engine.url
        )
        console.err(f"coterie: {words}\n")
    if arguments.json:
        print_json(console, _as_json(engine))
    return 0


def remove(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Take one off the list."""
    services.remotes.remove(arguments.name)
    if arguments.json:
        print_json(console, {"removed": arguments.name})
    return 0


def test(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Ask one for its models."""
    engine = services.remotes.get(arguments.name)
    models = services.remotes.client(engine.name).models()
    if arguments.json:
        print_json(console, _as_json(engine) | {"models": models})
        return 0
    if engine.model and engine.model not in models:
        words = tr("{url} does not list “{model}”.", url=engine.url, model=engine.model)
        console.err(f"coterie: {words}\n")
    for model in models:
        console.out(f"{printable(model)}\n")
    return 0


def _as_json(engine: RemoteEngine) -> dict[str, str]:
    return {"name": engine.name, "url": engine.url, "model": engine.model}
