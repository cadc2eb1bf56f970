"""`coterie adapters`: LoRA adapters, kept with a model and in force whenever it answers."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.cli.output import print_json, print_table
from app.console import Console
from app.errors import BadUsage
from app.services import Services
from model_manager.adapter_files import check_adapters
from model_manager.entries import read_files
from model_manager.plans import adapter_values
from model_manager.types import Adapter, ModelEntry
from ui.i18n import tr


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and what can be done with adapters."""
    parser = commands.add_parser("adapters", parents=parents, help="LoRA adapters of a model")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(
        name: str, run: Callable[..., int], help_text: str, *, has_path: bool = True
    ) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(name, parents=parents, help=help_text)
        made.set_defaults(run=run)
        made.add_argument("model", metavar="MODEL")
        if has_path:
            made.add_argument("path", metavar="FILE")
        return made

    action("list", show, "which it has", has_path=False)
    action("add", add, "use one from now on").add_argument("--scale", type=_scale, default=1.0, metavar="X")
    scale_parser = action("scale", scale, "how strongly it counts; 0 turns it off")
    scale_parser.add_argument("scale", type=_scale, metavar="X")
    action("remove", remove, "use it no longer")


def show(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the adapters of a model."""
    return _print(arguments, console, services.library.get(arguments.model))


def add(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Add an adapter, or give the one of this file another scale."""
    entry = services.library.get(arguments.model)
    added = Adapter(_path(arguments, console), arguments.scale)
    plan = services.engines.plan_for(entry)  # a starter's file is made by this
    check_adapters([added], read_files(plan.model_path), entry.name)
    others = [adapter for adapter in entry.adapters if adapter.path != added.path]
    return _keep(arguments, services, console, [*others, added])


def scale(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Give an adapter another scale."""
    entry = services.library.get(arguments.model)
    path = _known(arguments, console, entry)
    changed = [replace(a, scale=arguments.scale) if a.path == path else a for a in entry.adapters]
    return _keep(arguments, services, console, changed)


def remove(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Take an adapter away; its file stays."""
    entry = services.library.get(arguments.model)
    path = _known(arguments, console, entry)
    return _keep(arguments, services, console, [a for a in entry.adapters if a.path != path])


def _keep(
    arguments: argparse.Namespace, services: Services, console: Console, adapters: list[Adapter]
) -> int:
    return _print(arguments, console, services.library.set_adapters(arguments.model, adapters))


def _print(arguments: argparse.Namespace, console: Console, entry: ModelEntry) -> int:
    if arguments.json:
        print_json(console, {"model": entry.name, "adapters": adapter_values(entry.adapters)})
    else:
        print_table(
            console, [[f"{adapter.scale:g}", str(adapter.path)] for adapter in entry.adapters], right=[0]
        )
    return 0


def _path(arguments: argparse.Namespace, console: Console) -> Path:
    """The command may run in another process, whose folder is not the person's."""
    return Path(console.cwd / Path(arguments.path).expanduser()).absolute()


def _known(arguments: argparse.Namespace, console: Console, entry: ModelEntry) -> Path:
    """An adapter of the entry, by its path or by its file's name alone."""
    path = _path(arguments, console)
    paths = [adapter.path for adapter in entry.adapters]
    if path in paths:
        return path
    named = [found for found in paths if found.name == arguments.path]
    if len(named) != 1:
        words = tr(
            "“{name}” has no adapter {file}. `coterie adapters list` shows those it has.",
            name=entry.name,
            file=arguments.path,
        )
        raise BadUsage(f"coterie: {words}")
    return named[0]


def _scale(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no number")
    return value
