"""`coterie serve`: the models of the library for other programs, until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import queue
import secrets
import threading
from typing import Any

from app.cli.choices import model_name
from app.cli.output import print_json
from app.cli.progress import LoadingLine
from app.console import Console
from app.errors import BadUsage
from app.gateway import ServedLibrary
from app.services import Services
from app.upkeep import look_after
from app.words import sentence
from model_manager.engine.client import Cancel
from model_manager.hosts import is_loopback
from ui.i18n import tr

_DEFAULT_PORT = 8733


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = commands.add_parser("serve", parents=parents, help="serve models to other programs")
    parser.add_argument("--host", metavar="HOST", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", metavar="N", type=_port, default=_DEFAULT_PORT, help="0 for a free one")
    parser.add_argument(
        "--api-key", metavar="KEY", help="what clients must send; better in COTERIE_API_KEY, unseen by others"
    )
    parser.add_argument("-m", "--model", metavar="MODEL", help="load it now; answers where none is named")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Serve until Ctrl+C, or until the owner of the data folder ends."""
    # What brings uvicorn and pydantic along is not for commands that do without.
    from model_manager.engine.gateway.server import Gateway

    given = arguments.api_key or console.variable("COTERIE_API_KEY")
    if given is None and not is_loopback(arguments.host):
        raise BadUsage(
            tr(
                "coterie: on {host} others on your network can reach this. Set a key of your own in"
                " COTERIE_API_KEY, or leave --host away.",
                host=arguments.host,
            )
        )
    if given is not None and not _is_sendable(given):
        raise BadUsage(tr("coterie: a key must be made of visible ASCII characters, without spaces."))
    key = given or secrets.token_urlsafe(32)
    chosen = None
    if arguments.model:
        chosen = services.library.get(model_name(arguments.model, services, console))
    gateway = Gateway(
        ServedLibrary(services, chosen), sentence, key=key, host=arguments.host, port=arguments.port
    )
    ended = threading.Event()
    with contextlib.closing(gateway), contextlib.ExitStack() as leaving:
        leaving.callback(ended.set)
        # Not an event: a signal may come while the main thread is about to wait for it, inside its lock.
        stopped: queue.SimpleQueue[None] = queue.SimpleQueue()
        cancel = Cancel()

        def stop() -> None:
            cancel.set()
            stopped.put(None)

        with console.on_interrupt(stop):
            # Whoever reads it may already end us.
            _announce(arguments, console, gateway.url, None if given else key)
            look_after(services, ended)
            if chosen is not None:
                with LoadingLine(console, services.engines), services.engines.use(chosen, cancel):
                    pass
            stopped.get()
    return 0


def _announce(arguments: argparse.Namespace, console: Console, url: str, made_key: str | None) -> None:
    if arguments.json:
        print_json(console, {"type": "listening", "url": url, "api_key": made_key})
        return
    console.out(tr("Serving at {url}. Ctrl+C ends it.", url=url) + "\n")
    if made_key is not None:
        console.out(tr("Key for this run: {key}", key=made_key) + "\n")
    if arguments.api_key:
        words = tr("Others on this computer can read a key on a command line; use COTERIE_API_KEY.")
        console.err(f"coterie: {words}\n")


def _is_sendable(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("must be between 0 and 65535")
    return value
