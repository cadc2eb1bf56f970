"""`coterie models cache`: the states of conversations that outlive their model's worker."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from app.cli.output import print_json, print_table
from app.console import Console
from app.errors import BadUsage
from app.services import Services
from model_manager.engine import prompt_cache
from ui import formats
from ui.i18n import tr


def add_parser(actions: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the action and what it can do."""
    parser = actions.add_parser("cache", parents=parents, help="kept states of conversations")
    parser.set_defaults(run=list_files)
    jobs = parser.add_subparsers(title="jobs", metavar="JOB")
    jobs.add_parser("list", parents=parents, help="what is there (the default)").set_defaults(run=list_files)
    pruning = jobs.add_parser("prune", parents=parents, help="remove the least recently used beyond a limit")
    pruning.add_argument("--limit", metavar="BYTES", type=int, help="instead of what is set")
    pruning.set_defaults(run=prune)
    clearing = jobs.add_parser("clear", parents=parents, help="remove all of them")
    clearing.add_argument("-m", "--model", metavar="MODEL", help="only those of this model")
    clearing.set_defaults(run=clear)


def list_files(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the files, the most recently used first."""
    files = prompt_cache.list_files(services.paths.prompt_cache_dir)
    if arguments.json:
        print_json(
            console,
            [
                {
                    "path": str(file.path),
                    "model": file.model,
                    "tokens": file.n_tokens,
                    "size_bytes": file.size_bytes,
                    "used_at": _moment(file.used_at).isoformat(),
                }
                for file in files
            ],
        )
        return 0
    now = datetime.now(UTC)
    rows = [
        [
            file.model or tr("damaged"),
            tr("{n} tokens", n=formats.number(file.n_tokens)),
            formats.size(file.size_bytes),
            formats.moment(_moment(file.used_at), now),
            file.path.name,
        ]
        for file in files
    ]
    print_table(console, rows, right=[1, 2])
    return 0


def prune(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Remove what is beyond the limit, and what killed writers left."""
    limit_bytes = arguments.limit
    if limit_bytes is None:
        limit_bytes = int(services.setting("prompt_cache_bytes"))
    if limit_bytes < 0:
        raise BadUsage(tr("coterie: --limit is a number of bytes, 0 or more."))
    prompt_cache.remove_unfinished(services.paths.prompt_cache_dir)
    _print_removed(arguments, console, prompt_cache.prune(services.paths.prompt_cache_dir, limit_bytes))
    return 0


def clear(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Remove all of them; models that are loaded go on with what they hold."""
    _print_removed(arguments, console, prompt_cache.clear(services.paths.prompt_cache_dir, arguments.model))
    return 0


def _print_removed(arguments: argparse.Namespace, console: Console, n_removed: int) -> None:
    if arguments.json:
        print_json(console, {"removed": n_removed})
    else:
        console.out(tr("Files removed: {n}.", n=formats.number(n_removed)) + "\n")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
