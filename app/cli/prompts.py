"""`coterie prompts`: system prompts and personas, to begin conversations with (`chat --prompt NAME`)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.cli.choices import model_name
from app.cli.output import print_json, print_table, printable
from app.console import Console
from app.errors import BadUsage
from app.services import Services
from storage.records import Prompt
from ui.i18n import tr


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("prompts", parents=parents, help="system prompts and personas by name")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", parents=parents, help="all of them").set_defaults(run=list_prompts)
    showing = actions.add_parser("show", parents=parents, help="one of them")
    showing.add_argument("name", metavar="NAME")
    showing.set_defaults(run=show)
    saving = actions.add_parser("save", parents=parents, help="add one, or replace the one of this name")
    saving.add_argument("name", metavar="NAME")
    saving.add_argument("text", metavar="TEXT", nargs="?", help="the system prompt; without it, from stdin")
    saving.add_argument("-m", "--model", metavar="MODEL", help="that answers, too: a persona")
    saving.add_argument(
        "--sampling", metavar="JSON", help='parameters of its conversations, such as {"temperature": 0.2}'
    )
    saving.set_defaults(run=save)
    removing = actions.add_parser("remove", parents=parents, help="conversations that began with it stay")
    removing.add_argument("name", metavar="NAME")
    removing.set_defaults(run=remove)


def list_prompts(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print all of them, each with its beginning."""
    found = services.storage.call(lambda store: store.prompts.list())
    if arguments.json:
        print_json(console, [asdict(prompt) for prompt in found])
        return 0
    print_table(
        console,
        [[prompt.name, prompt.model_name or "", " ".join(prompt.text.split())[:60]] for prompt in found],
    )
    return 0


def show(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print one."""
    _print(services.storage.call(lambda store: store.prompts.get(arguments.name)), arguments, console)
    return 0


def save(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Keep one.

    Raises:
        BadUsage: It has no text, or its parameters are no JSON object.
        ModelNotFound: As its model.
    """
    text = arguments.text
    if text is None:
        lines = []
        while (line := console.read_line("")) is not None:
            lines.append(line.rstrip("\n"))
        text = "\n".join(lines)
    sampling = _sampling(arguments.sampling)
    name = None
    if arguments.model is not None:
        name = services.library.get(model_name(arguments.model, services, console)).name
    if not text.strip() and name is None and not sampling:
        raise BadUsage(tr("coterie: a prompt needs a text, a model or parameters."))
    prompt = Prompt(arguments.name, text, name, sampling)
    _print(services.storage.call(lambda store: store.prompts.put(prompt)), arguments, console)
    return 0


def remove(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Forget one."""
    services.storage.call(lambda store: store.prompts.delete(arguments.name))
    if arguments.json:
        print_json(console, {"removed": arguments.name})
    return 0


def _sampling(text: str | None) -> Mapping[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BadUsage(tr("coterie: {value} is no JSON object of parameters.", value=text))
    return value


def _print(prompt: Prompt, arguments: argparse.Namespace, console: Console) -> None:
    if arguments.json:
        print_json(console, asdict(prompt))
        return
    rows = [[tr("Name"), prompt.name], [tr("Model"), prompt.model_name or tr("the one in use")]]
    rows += [[name, json.dumps(value, ensure_ascii=False)] for name, value in prompt.sampling.items()]
    print_table(console, rows)
    console.out(f"\n{printable(prompt.text)}\n")
