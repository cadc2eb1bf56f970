"""`coterie conversations export|import`: conversations as files, and files as conversations."""

from __future__ import annotations

import argparse
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app import exchanging
from app.cli.output import print_json, printable
from app.cli.progress import ProgressLine
from app.console import Console
from app.errors import BadUsage, Interrupted
from app.exchanging import ImportReport
from app.services import Services
from storage.exchange.exporters.fine_tuning import Quality
from ui import exchange_words, formats
from ui.i18n import tr, trn

_SIMILARITY = 0.8


def add_actions(actions: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare them."""
    exporting = actions.add_parser("export", parents=parents, help="write conversations to files")
    which = exporting.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", metavar="ID", type=int, nargs="*", default=[])
    which.add_argument("--all", action="store_true", help="every conversation")
    exporting.add_argument(
        "--format",
        choices=tuple(exchanging.SUFFIXES),
        default="json",
        help="json keeps everything; sharegpt and openai are JSON Lines for training",
    )
    exporting.add_argument(
        "--output", "-o", metavar="PATH", type=Path, help="a file; a folder for several of one file each"
    )
    exporting.add_argument("--force", action="store_true", help="replace files that are there")
    training = exporting.add_argument_group("examples for training")
    training.add_argument("--min-characters", metavar="N", type=int, default=1, help="of the answers")
    training.add_argument("--max-characters", metavar="N", type=int, default=0, help="of the whole example")
    training.add_argument("--min-rating", metavar="N", type=int, choices=(-1, 1), help="of rated answers")
    training.add_argument("--max-entropy", metavar="BITS", type=float, help="of a token's choice, on average")
    training.add_argument(
        "--similarity",
        metavar="SHARE",
        type=_share,
        default=_SIMILARITY,
        help="leave out what shares so much with an earlier example, 0 to 1; 1: only the same (default: 0.8)",
    )
    training.add_argument("--reasoning", action="store_true", help="with the reasoning, as <think>")
    exporting.set_defaults(run=export)

    importing = actions.add_parser("import", parents=parents, help="bring conversations of other programs in")
    importing.add_argument("path", metavar="PATH", type=Path, help="an exported file, zip or folder")
    importing.add_argument("--dry-run", action="store_true", help="say what would come, store nothing")
    importing.set_defaults(run=import_conversations)


def export(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Write conversations to files, or one text to the output."""
    kind: exchanging.Format = arguments.format
    ids = None if arguments.all else arguments.ids
    if arguments.output is None:
        return _to_output(arguments, services, console)
    path = console.cwd / arguments.output.expanduser()
    selection = None
    if kind in ("sharegpt", "openai"):
        selection = exchanging.export_examples(
            services.storage,
            ids,
            kind,
            _quality(arguments),
            path,
            with_reasoning=arguments.reasoning,
            overwrite=arguments.force,
        )
        n_written = selection.n_written
    elif ids is not None and len(ids) == 1:
        exchanging.export_one(services.storage, ids[0], kind, path, overwrite=arguments.force)
        n_written = 1
    elif kind == "json":
        n_written = exchanging.export_all(services.storage, ids, path, overwrite=arguments.force)
    else:
        n_written = exchanging.export_each(services.storage, ids, kind, path, overwrite=arguments.force)
    if arguments.json:
        left_out = {} if selection is None else {"left_out": selection.left_out}
        print_json(console, {"path": str(path), "n_conversations": n_written} | left_out)
        return 0
    words = trn("{n} conversation", "{n} conversations", n_written, n_text=formats.number(n_written))
    console.out(f"{path}  {words}\n")
    if selection is not None:
        for line in exchange_words.left_out(selection.left_out.items()):
            console.out(f"  {line}\n")
    return 0


def import_conversations(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Bring conversations in and report; 1 where something could not be read."""
    path = console.cwd / arguments.path.expanduser()
    line = ProgressLine(console)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True

    try:
        with console.on_interrupt(stop):
            report = exchanging.import_file(
                services.storage,
                path,
                is_trial=arguments.dry_run,
                progress=lambda n: line.show(formats.number(n)),
                is_cancelled=lambda: stopped,
            )
    except Interrupted:
        line.clear()
        console.err(tr("The import was stopped. What had come in by then is kept.") + "\n")
        raise
    line.clear()
    if arguments.json:
        print_json(console, asdict(report))
    else:
        _print_report(report, console, is_trial=arguments.dry_run)
    return 1 if report.n_broken else 0


def _to_output(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    if arguments.all or len(arguments.ids) != 1 or arguments.format not in ("json", "markdown", "html"):
        raise BadUsage(tr("Say where to with --output PATH."))
    (conversation,) = exchanging.carried(services.storage, arguments.ids)
    text = io.StringIO()
    exchanging.write_text(conversation, text, arguments.format)
    console.out(printable(text.getvalue()) if console.is_screen else text.getvalue())
    return 0


def _quality(arguments: argparse.Namespace) -> Quality:
    return Quality(
        min_characters=arguments.min_characters,
        max_characters=arguments.max_characters,
        similarity=arguments.similarity,
        min_rating=arguments.min_rating,
        max_entropy_bits=arguments.max_entropy,
    )


def _print_report(report: ImportReport, console: Console, *, is_trial: bool) -> None:
    console.out(f"{', '.join(report.programs)}\n")
    told = exchange_words.summary(
        report.n_new, report.n_grown, report.n_known, report.n_messages, is_trial=is_trial
    )
    console.out(f"{told}\n")
    if empty := exchange_words.empty(report.n_empty):
        console.out(f"{empty}\n")
    lost = exchange_words.lost(report.lost)
    if lost:
        console.out(tr("There is no place for: {things}.", things="; ".join(lost)) + "\n")
    if report.n_broken:
        console.err(f"{exchange_words.broken(report.n_broken)}\n")
        for place in report.broken:
            console.err(f"  {printable(place.where)}: {printable(place.reason)}\n")
    for name in report.skipped:
        console.out(tr("No conversations in {name}.", name=printable(name)) + "\n")


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value
