"""`coterie models`: what can be done with the models of this machine."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.cli.choices import model_name
from app.cli.output import print_json, print_table
from app.cli.progress import ProgressLine
from app.console import Console
from app.errors import BadUsage
from app.keep_awake import keep_awake
from app.services import Services
from model_manager.importers.stores import STORES
from model_manager.types import ImportItem, ImportReport, ModelEntry
from ui import formats, library_words, tuning_words
from ui.i18n import tr

Action = Callable[[str, Any, str], argparse.ArgumentParser]


def add_actions(action: Action) -> None:
    """Declare them."""
    listing = action("list", list_models, "what there is")
    listing.add_argument("--tag", metavar="TAG", action="append", help="only models with this tag")
    importing = action("import", import_model, "add a file of this machine, or all models of a program")
    importing.add_argument("path", metavar="PATH", nargs="?", help="a file or a folder; it stays there")
    importing.add_argument("--copy", action="store_true", help="copy the file into the models folder")
    importing.add_argument(
        "--from",
        dest="store",
        metavar="STORE",
        help=f"{', '.join(STORES)}, ours (the models folder) or a folder",
    )
    importing.add_argument("--dry-run", action="store_true", help="only tell what would be added")
    action("verify", verify, "read every byte and compare").add_argument("name", metavar="NAME")
    removing = action("remove", remove, "forget a model; delete its files if Coterie put them there")
    removing.add_argument("name", metavar="NAME")
    removing.add_argument(
        "--delete-files", action="store_true", help="delete the files even if another program put them there"
    )
    moving = action("move", move, "put the files of models into another folder or on another disk")
    moving.add_argument("names", metavar="NAME", nargs="+")
    where = moving.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", metavar="FOLDER", help="where to; made if it is not there")
    where.add_argument("--cancel", action="store_true", help="undo a move that was cut off")
    action("duplicates", duplicates, "models whose files hold the same bytes")
    tagging = action("tag", tag, "give a model words to find it by; without any, show them")
    tagging.add_argument("name", metavar="NAME")
    tagging.add_argument("tags", metavar="TAG", nargs="*")
    tagging.add_argument("--remove", metavar="TAG", action="append", default=[], help="take one away")
    noting = action("note", note, 'write something about a model; "" clears it, without any, show it')
    noting.add_argument("name", metavar="NAME")
    noting.add_argument("text", metavar="TEXT", nargs="?")


def list_models(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the library."""
    wanted = set(arguments.tag or ())
    entries = [entry for entry in services.library.list() if wanted <= set(entry.tags)]
    if arguments.json:
        print_json(console, [entry_json(entry) for entry in entries])
        return 0
    print_table(console, [_row(entry) for entry in entries], right=[1])
    return 0


def import_model(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Add a file of this machine, or what a program has."""
    if (arguments.path is None) == (arguments.store is None):
        raise BadUsage(tr("coterie: name either a file or folder, or a program with --from."))
    path = console.cwd / Path(arguments.path or "").expanduser()
    if arguments.store is None and not path.is_dir():
        if arguments.dry_run:
            raise BadUsage(tr("coterie: --dry-run is for folders and for --from."))
        line = ProgressLine(console)
        entry = services.library.import_path(path, copy=arguments.copy, progress=line.show_share)
        line.clear()
        print_entry(arguments, console, entry)
        return 0
    if arguments.copy:
        raise BadUsage(tr("coterie: --copy is for single files; models of a folder are used where they are."))
    where = arguments.store or str(path)
    if where not in STORES and where != "ours":
        where = str(console.cwd / Path(where).expanduser())
    line = ProgressLine(console)
    report = services.keeping.import_from(
        where,
        dry_run=arguments.dry_run,
        variables=console.variable,
        progress=lambda done, total: line.show(f"{formats.number(done)} / {formats.number(total)}"),
    )
    line.clear()
    if arguments.json:
        print_json(console, _report_json(report))
    else:
        _print_report(console, report)
    return 0


def verify(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Read every byte and compare."""
    line = ProgressLine(console)
    entry = services.library.verify(model_name(arguments.name, services, console), line.show_share)
    line.clear()
    print_entry(arguments, console, entry)
    return 0


def remove(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Forget a model."""
    services.remove_model(arguments.name, delete_foreign_files=arguments.delete_files)
    if arguments.json:
        print_json(console, {"removed": arguments.name})
    return 0


def move(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Move models; Ctrl+C undoes the one that is under way."""
    told_to_stop = threading.Event()
    line = ProgressLine(console)
    with keep_awake(), console.on_interrupt(told_to_stop.set):
        for name in arguments.names:
            was = services.library.get(name)
            if arguments.cancel:
                entry = services.keeping.cancel_move(name)
            else:
                folder = console.cwd / Path(arguments.to).expanduser()
                entry = services.keeping.move(name, folder, line.show_share, told_to_stop.is_set)
            line.clear()
            print_entry(arguments, console, entry)
            if not was.is_ours and entry.is_ours and not arguments.json:
                words = tr("The original stays at {path}: another program put it there.", path=was.paths[0])
                console.out(f"{words}\n")
    return 0


def duplicates(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print groups of models with the same bytes."""
    told_to_stop = threading.Event()
    line = ProgressLine(console)
    with console.on_interrupt(told_to_stop.set):
        groups = services.keeping.duplicates(line.show_share, told_to_stop.is_set)
    line.clear()
    if arguments.json:
        print_json(console, [asdict(group) for group in groups])
        return 0
    entries = {entry.name: entry for entry in services.library.list()}
    for group in groups:
        words = (
            tr(
                "The same {size}, {wasted} too much:",
                size=formats.size(group.size_bytes),
                wasted=formats.size(group.wasted_bytes),
            )
            if group.wasted_bytes
            else tr("One file of {size} under several names:", size=formats.size(group.size_bytes))
        )
        console.out(f"{words}\n")
        print_table(console, [["", name, str(entries[name].paths[0])] for name in group.names])
    if not groups:
        console.out(tr("No model is here twice.") + "\n")
    return 0


def tag(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Change or show a model's tags."""
    entry = services.library.get(arguments.name)
    if arguments.tags or arguments.remove:
        tags = (set(entry.tags) | set(arguments.tags)) - set(arguments.remove)
        entry = services.library.annotate(arguments.name, tags=sorted(tags))
    if arguments.json:
        print_json(console, {"name": entry.name, "tags": list(entry.tags)})
    else:
        console.out("".join(f"{word}\n" for word in entry.tags))
    return 0


def note(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Change or show what is written about a model."""
    entry = services.library.get(arguments.name)
    if arguments.text is not None:
        entry = services.library.annotate(arguments.name, note=arguments.text)
    if arguments.json:
        print_json(console, {"name": entry.name, "note": entry.note})
    elif entry.note:
        console.out(f"{entry.note}\n")
    return 0


def print_entry(arguments: argparse.Namespace, console: Console, entry: ModelEntry) -> None:
    """One entry with its files."""
    if arguments.json:
        print_json(console, entry_json(entry))
        return
    for path, digest in zip(entry.paths, entry.sha256 or [""] * len(entry.paths), strict=True):
        console.out(f"{entry.name}  {path}{'  sha256 ' + digest if digest else ''}\n")


def entry_json(entry: ModelEntry) -> dict[str, Any]:
    """One entry for scripts."""
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
        "is_ours": entry.is_ours,
        "is_starter": entry.is_starter,
        "is_missing": entry.is_missing,
        "state": entry.state,
        "verified_at": entry.verified_at.isoformat() if entry.verified_at else None,
        "missing_paths": [str(path) for path in entry.missing_paths],
        "moving_to": str(entry.moving_to) if entry.moving_to else None,
        "tags": list(entry.tags),
        "note": entry.note,
        "used_at": entry.used_at.isoformat() if entry.used_at else None,
        "decode_tokens_per_s": entry.decode_tokens_per_s,
        "prefill_tokens_per_s": entry.prefill_tokens_per_s,
        "tuning": dict(entry.tuning) or None,
    }


def _row(entry: ModelEntry) -> list[str]:
    if entry.n_experts:
        experts = tr("{used} of {n} experts", used=entry.n_experts_used, n=entry.n_experts)
    else:
        experts = "" if entry.address else tr("dense")
    words = "" if entry.is_starter else library_words.state(entry)
    speed = tuning_words.in_short(entry.tuning)
    if not speed and entry.decode_tokens_per_s is not None:
        speed = tr("answers with {rate} tokens/s", rate=formats.decimal(entry.decode_tokens_per_s))
    tags = " ".join(f"#{word}" for word in entry.tags)
    return [
        entry.name,
        "" if entry.address else formats.size(entry.size_bytes),
        entry.quantization,
        entry.architecture,
        experts,
        entry.address or "  ".join(part for part in (words, speed, tags) if part),
    ]


def _print_report(console: Console, report: ImportReport) -> None:
    rows = [[library_words.status(item), item.name, str(item.path)] for item in report.items]
    print_table(console, rows)
    added = sum(item.status in ("added", "found_again") for item in report.items)
    skipped = sum(item.status == "skipped" for item in report.items)
    words = (
        tr("Would be added: {added}. Left out: {skipped}. Nothing was changed.", added=added, skipped=skipped)
        if report.is_dry_run
        else tr(
            "Added: {added}. Left out: {skipped}. All files stay where they are.",
            added=added,
            skipped=skipped,
        )
    )
    console.out(f"{words}\n")


def _report_json(report: ImportReport) -> dict[str, Any]:
    return {
        "store": report.store,
        "folders": [str(folder) for folder in report.folders],
        "is_dry_run": report.is_dry_run,
        "items": [_item_json(item) for item in report.items],
    }


def _item_json(item: ImportItem) -> dict[str, Any]:
    return {
        "status": item.status,
        "name": item.name,
        "path": str(item.path),
        "size_bytes": item.size_bytes,
        "source": item.source,
        "reason": item.reason,
        "detail": item.detail,
    }
