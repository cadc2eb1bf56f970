"""`coterie models`: the library."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli import cache, catalogue, discover, downloads, fit, placement, quantize, tune
from app.cli.choices import model_name
from app.cli.output import print_json, print_table
from app.cli.progress import ProgressLine
from app.console import Console
from app.services import Services
from model_manager.types import ModelEntry
from ui import formats, tuning_words
from ui.i18n import tr


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
    action("list", list_models, "what there is")
    downloads.add_actions(action)
    path = action("import", import_model, "add a file of this machine")
    path.add_argument("path", metavar="PATH")
    path.add_argument("--copy", action="store_true", help="copy it into the models folder")
    for name, run, help_text in (
        ("verify", verify, "read every byte and compare"),
        ("remove", remove, "forget a model; delete its files if Coterie put them there"),
    ):
        action(name, run, help_text).add_argument("name", metavar="NAME")
    fit.add_action(action)
    placement.add_actions(action)
    tune.add_action(action)
    quantize.add_action(action)
    cache.add_parser(actions, parents)


def list_models(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the library."""
    entries = services.library.list()
    if arguments.json:
        print_json(console, [_as_json(entry) for entry in entries])
        return 0
    rows = [
        [
            entry.name,
            "" if entry.address else formats.size(entry.size_bytes),
            entry.quantization,
            entry.architecture,
            tr("{used} of {n} experts", used=entry.n_experts_used, n=entry.n_experts)
            if entry.n_experts
            else ("" if entry.address else tr("dense")),
            tr("missing: {path}", path=entry.paths[0])
            if entry.is_missing and not entry.is_starter
            else entry.address or tuning_words.in_short(entry.tuning),
        ]
        for entry in entries
    ]
    print_table(console, rows, right=[1])
    return 0


def import_model(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Add a file of this machine."""
    line = ProgressLine(console)
    entry = services.library.import_path(
        console.cwd / Path(arguments.path).expanduser(), copy=arguments.copy, progress=line.show_share
    )
    line.clear()
    _print_entry(arguments, console, entry)
    return 0


def verify(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Read every byte and compare."""
    line = ProgressLine(console)
    entry = services.library.verify(model_name(arguments.name, services, console), line.show_share)
    line.clear()
    _print_entry(arguments, console, entry)
    return 0


def remove(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Forget a model."""
    services.remove_model(arguments.name)
    if arguments.json:
        print_json(console, {"removed": arguments.name})
    return 0


def _print_entry(arguments: argparse.Namespace, console: Console, entry: ModelEntry) -> None:
    if arguments.json:
        print_json(console, _as_json(entry))
        return
    for path, digest in zip(entry.paths, entry.sha256 or [""] * len(entry.paths), strict=True):
        console.out(f"{entry.name}  {path}{'  sha256 ' + digest if digest else ''}\n")


def _as_json(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "paths": [str(path) for path in entry.paths],
        "size_bytes": entry.size_bytes,
        "architecture": entry.architecture,
        "quantization": entry.quantization,
        "n_experts": entry.n_experts,
        "n_experts_used": entry.n_experts_used,
        "n_ctx_train_tokens": entry.n_ctx_train_tokens,
        "sha256": list(entry.sha256) if entry.sha256 else None,
        "source": entry.source,
        "address": entry.address,
        "is_starter": entry.is_starter,
        "is_missing": entry.is_missing,
        "tuning": dict(entry.tuning) or None,
    }
