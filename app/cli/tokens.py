"""`coterie tokens`: what opens gated repositories, each token for the one address that it was given for."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import urlsplit

from app.cli.output import print_json, print_table
from app.console import Console
from app.errors import BadUsage
from app.services import Services
from model_manager.hosts import is_loopback, origin_of
from ui.i18n import tr


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("tokens", parents=parents, help="access tokens of model hubs")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", parents=parents, help="which there are; not what they say").set_defaults(
        run=list_tokens
    )
    for name, run, help_text in (
        ("set", set_token, "read a token from stdin and keep it in the system's keyring"),
        ("remove", remove, "forget one"),
    ):
        action = actions.add_parser(name, parents=parents, help=help_text)
        action.add_argument(
            "place", metavar="PLACE", nargs="?", default="hub", help="hub (the default), modelscope or a URL"
        )
        action.set_defaults(run=run)


def list_tokens(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print whether the hub in use and ModelScope have one, and from where."""
    found = [_as_json(services, place) for place in ("hub", "modelscope")]
    if arguments.json:
        print_json(console, found)
        return 0
    words = {
        "environment": tr("from the environment"),
        "kept": tr("kept in the system's keyring"),
        None: tr("none"),
    }
    print_table(console, [[row["place"], row["address"], words[row["source"]]] for row in found])
    return 0


def set_token(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Keep one. Nothing is sent anywhere."""
    address = _address(arguments.place, services)
    token = (console.read_line(tr("Token: ")) or "").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise BadUsage(tr("coterie: the token on stdin must be one word of visible ASCII characters."))
    if not services.kept_tokens.set(address, token):
        words = tr(
            "No system keyring keeps the token, so it holds until this Coterie ends."
            " Set {variable} for the next.",
            variable="MODELSCOPE_API_TOKEN" if arguments.place == "modelscope" else "HF_TOKEN",
        )
        console.err(f"coterie: {words}\n")
    parts = urlsplit(address)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        words = tr("What is sent to {url} can be read on the way. Use https if the server can.", url=address)
        console.err(f"coterie: {words}\n")
    if arguments.json:
        print_json(console, {"place": arguments.place, "address": address})
    return 0


def remove(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Forget one; that of the environment stays."""
    address = _address(arguments.place, services)
    services.kept_tokens.delete(address)
    if arguments.json:
        print_json(console, {"removed": address})
    return 0


def _address(place: str, services: Services) -> str:
    if place == "hub":
        return services.sources.hub.endpoint
    if place == "modelscope":
        return services.sources.modelscope.endpoint
    try:
        parts = urlsplit(place)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise BadUsage(tr("coterie: {place} is neither hub, modelscope nor a web address.", place=place))
    return place


def _as_json(services: Services, place: str) -> dict[str, Any]:
    address = _address(place, services)
    source = None
    if services.tokens.of_environment(address) is not None:
        source = "environment"
    elif services.kept_tokens.get(address) is not None:
        source = "kept"
    return {"place": place, "address": address, "origin": origin_of(address), "source": source}
