"""`coterie models`: the library and the downloads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli import cache, catalogue, discover, fit, placement, quantize, tune
from app.cli.choices import model_name
from app.cli.output import print_json, print_table
from app.cli.progress import ProgressLine
from app.console import Console
from app.keep_awake import keep_awake
from app.services import Services
from model_manager.errors import NoSuchDownload
from model_manager.types import DownloadSnapshot, ModelEntry
from ui import formats, tuning_words
from ui.i18n import tr

_PUBLISH_INTERVAL_S = 0.3


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
    reference = action("download", download, "fetch a model and verify it; again to resume")
    reference.add_argument("ref", metavar="REF", help="owner/repo[:QUANT or /file], or a URL")
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
    action("downloads", list_downloads, "what is or was downloaded")
    for name, run, help_text in (
        ("pause", pause, "stop a download and keep what has arrived"),
        ("resume", resume, "go on with it"),
        ("cancel", cancel, "stop it and remove what has arrived"),
    ):
        action(name, run, help_text).add_argument("id", metavar="ID", type=int)
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


def download(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Fetch a model; Ctrl+C pauses."""
    downloads = services.downloads
    download_id = downloads.add(arguments.ref)
    line = ProgressLine(console)
    with keep_awake(), console.on_interrupt(lambda: downloads.pause(download_id)):
        while True:
            snapshot = downloads.wait(download_id, _PUBLISH_INTERVAL_S)
            if snapshot.status not in ("queued", "running", "verifying"):
                break
            if arguments.json:
                print_json(console, _progress_json(snapshot))
            else:
                line.show(_describe(snapshot))
    line.clear()
    if snapshot.error is not None:
        raise snapshot.error
    if snapshot.status != "done":
        words = tr("Paused; what has arrived is kept. Run the same command to go on.")
        console.err(f"coterie: {words}\n")
        return 1
    if arguments.json:
        print_json(console, _progress_json(snapshot))
        print_json(console, {"type": "done", "path": str(snapshot.path), "sha256": snapshot.sha256})
    else:
        console.out(f"{snapshot.path}\nsha256 {snapshot.sha256}\n")
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


def list_downloads(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print all downloads."""
    snapshots = services.downloads.snapshots()
    if arguments.json:
        print_json(
            console, [_progress_json(s) | {"id": s.id, "ref": s.ref, "status": s.status} for s in snapshots]
        )
    else:
        print_table(console, [[str(s.id), s.status, s.ref, _describe(s)] for s in snapshots], right=[0])
    return 0


def pause(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Stop a download and keep what has arrived."""
    _require(services, arguments.id)
    services.downloads.pause(arguments.id)
    if arguments.json:
        print_json(console, {"paused": arguments.id})
    return 0


def resume(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Go on with a download, and wait for its end."""
    found = _require(services, arguments.id)
    services.downloads.resume(arguments.id)
    arguments.ref = found.ref
    return download(arguments, services, console)


def cancel(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Stop a download and remove what has arrived."""
    _require(services, arguments.id)
    services.downloads.cancel(arguments.id)
    if arguments.json:
        print_json(console, {"cancelled": arguments.id})
    return 0


def _require(services: Services, download_id: int) -> DownloadSnapshot:
    for snapshot in services.downloads.snapshots():
        if snapshot.id == download_id:
            return snapshot
    raise NoSuchDownload(download_id)


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


def _progress_json(snapshot: DownloadSnapshot) -> dict[str, Any]:
    return {
        "type": "progress",
        "received_bytes": snapshot.received_bytes,
        "size_bytes": snapshot.size_bytes,
        "rate_bytes_per_s": snapshot.rate_bytes_per_s,
        "eta_s": snapshot.eta_s,
    }


def _describe(snapshot: DownloadSnapshot) -> str:
    parts = [formats.size(snapshot.received_bytes)]
    if snapshot.size_bytes is not None:
        parts[0] += f" / {formats.size(snapshot.size_bytes)}"
    if snapshot.rate_bytes_per_s is not None:
        parts.append(formats.rate(snapshot.rate_bytes_per_s))
    if snapshot.eta_s is not None:
        parts.append(tr("{time} left", time=formats.duration(snapshot.eta_s)))
    return "  ".join(parts)
