"""`coterie doctor --database`: is the database sound, what does it take, and what can be given back."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from app.cli.output import print_json, print_table
from app.cli.progress import ProgressLine
from app.console import Console
from app.services import Services
from storage.backups import Backups
from storage.upkeep import Sizes
from ui import formats
from ui.i18n import tr


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument("--database", action="store_true", help="check the database, and say what it takes")
    parser.add_argument(
        "--compact", action="store_true", help="with --database: give back what is empty in it"
    )
    parser.add_argument("--repair", action="store_true", help="with --database: make the search index anew")


def care(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Repair and compact as asked, then check; 1 where something is wrong."""
    line = ProgressLine(console)
    if arguments.repair:

        def show_repair(done: int, total: int) -> None:
            line.show_steps(tr("Indexing"), done, total)

        services.storage.call(lambda store: store.search.rebuild(show_repair))
        line.clear()
    given_back: int | None = None
    if arguments.compact:

        def show(done: int, total: int) -> None:
            line.show_steps(tr("Compacting"), done, total)

        given_back = services.storage.call(lambda store: store.upkeep.compact(show))
        line.clear()
    problems = services.storage.call(lambda store: store.conversations.verify())
    sizes = services.storage.call(lambda store: store.upkeep.sizes())
    newest = next(iter(Backups(services.paths.database).list()), None)
    cache_bytes = _cache_bytes(services)
    if arguments.json:
        facts: dict[str, Any] = asdict(sizes) | {
            "cache_bytes": cache_bytes,
            "problems": problems,
            "given_back_bytes": given_back,
            "newest_backup": None if newest is None else str(newest.path),
        }
        print_json(console, facts)
        return 1 if problems else 0
    print_table(console, _rows(sizes, cache_bytes), right=[1])
    if given_back is not None:
        console.out("\n" + tr("{size} were given back.", size=formats.size(max(given_back, 0))) + "\n")
    for problem in problems:
        console.out("\n! " + tr("The database has a problem: {problem}", problem=problem) + "\n")
    if not problems:
        console.out("\n" + tr("The database is sound.") + "\n")
    elif all("search index" in problem or "is indexed" in problem for problem in problems):
        console.out(
            tr("Only the search index is wrong: `coterie doctor --database --repair` makes it anew.") + "\n"
        )
    elif newest is not None:
        console.out(
            tr(
                "The newest backup is {name}: `coterie backup verify {name}` checks it, and"
                " `coterie backup restore {name}` puts it in place; what is there now is kept.",
                name=newest.path.name,
            )
            + "\n"
        )
    return 1 if problems else 0


def _rows(sizes: Sizes, cache_bytes: int) -> list[list[str]]:
    words = {
        "text": tr("questions and answers"),
        "reasoning": tr("reasoning"),
        "attachments": tr("images"),
        "routing": tr("experts of tokens"),
        "tokens": tr("tokens and their likelihoods"),
        "search index": tr("search index"),
        "knowledge": tr("documents of collections"),
    }
    rows = [[tr("database"), formats.size(sizes.file_bytes)]]
    rows += [[f"  {words[kind]}", formats.size(size)] for kind, size in sizes.kinds.items()]
    rows += [
        [f"  {tr('empty')}", formats.size(sizes.free_bytes)],
        [tr("log of the database"), formats.size(sizes.log_bytes)],
        [tr("backups"), formats.size(sizes.backups_bytes)],
        [tr("states of conversations"), formats.size(cache_bytes)],
    ]
    return rows


def _cache_bytes(services: Services) -> int:
    folder = services.paths.prompt_cache_dir
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
