"""`coterie doctor --database`: is the database sound, what does it take, and what can be given back."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from app.care import space_of
from app.cli.output import print_json, print_table
from app.cli.progress import ProgressLine
from app.console import Console
from app.services import Services
from storage.backups import Backups
from ui import formats
from ui.care import words
from ui.i18n import tr


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument("--database", action="store_true", help="check the database, and say what it takes")
    parser.add_argument(
        "--compact", action="store_true", help="with --database: give back what is empty in it"
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="with --database: make the search index anew, and put right what has one right answer",
    )


def care(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Repair and compact as asked, then check; 1 where something is wrong."""
    line = ProgressLine(console)
    repaired: list[str] = []
    if arguments.repair:
        repaired = services.storage.call(lambda store: store.conversations.repair())

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
    space = space_of(services)
    newest = next(iter(Backups(services.paths.database).list()), None)
    if arguments.json:
        facts: dict[str, Any] = asdict(space) | {
            "problems": problems,
            "repaired": repaired,
            "given_back_bytes": given_back,
            "newest_backup": None if newest is None else str(newest.path),
        }
        print_json(console, facts)
        return 1 if problems else 0
    print_table(console, [[name, formats.size(size)] for name, size in words.space_rows(space)], right=[1])
    if given_back is not None:
        console.out(f"\n{words.given_back(given_back)}\n")
    for what in repaired:
        console.out("\n" + tr("Repaired: {what}", what=what) + "\n")
    for problem in problems:
        console.out("\n! " + tr("The database has a problem: {problem}", problem=problem) + "\n")
    if not problems:
        console.out("\n" + tr("The database is sound.") + "\n")
    elif not arguments.repair:
        console.out(tr("`coterie doctor --database --repair` puts right what can be put right.") + "\n")
    if problems and newest is not None:
        console.out(
            tr(
                "The newest backup is {name}: `coterie backup verify {name}` checks it, and"
                " `coterie backup restore {name}` puts it in place; what is there now is kept.",
                name=newest.path.name,
            )
            + "\n"
        )
    return 1 if problems else 0
