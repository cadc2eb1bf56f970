"""The downloads of `coterie models`: fetch, list, pause, go on, cancel, and in what order."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, get_args

from app import words
from app.cli.output import print_json, print_table
from app.cli.progress import ProgressLine
from app.console import Console
from app.errors import BadUsage
from app.keep_awake import keep_awake
from app.services import Services
from model_manager.errors import NoSuchDownload
from model_manager.types import DownloadPlace, DownloadSnapshot
from ui import formats
from ui.i18n import tr

_PUBLISH_INTERVAL_S = 0.3
_ACTIVE = ("queued", "running", "verifying")
_OVER = ("done", "cancelled")


def add_actions(action: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Declare them among those of `coterie models`."""
    fetching = action("download", download, "fetch a model and verify it; again to resume")
    fetching.add_argument("ref", metavar="REF", help="[modelscope:]owner/repo[:QUANT or /file], or a URL")
    fetching.add_argument(
        "--queue", action="store_true", help="put it into the queue, and do not wait for it"
    )
    action("downloads", list_downloads, "what is or was downloaded, in the order of the queue")
    for name, run, help_text in (
        ("pause", pause, "stop a download and keep what has arrived"),
        ("resume", resume, "go on with it"),
    ):
        made = action(name, run, help_text)
        made.add_argument("id", metavar="ID", type=int, nargs="?")
        made.add_argument("--all", action="store_true", help="all of them")
    cancelling = action("cancel", cancel, "stop it and remove what has arrived; forget one that is over")
    cancelling.add_argument("id", metavar="ID", type=int)
    ordering = action("order", order, "change which download is begun next")
    ordering.add_argument("id", metavar="ID", type=int)
    ordering.add_argument("place", metavar="PLACE", choices=get_args(DownloadPlace), help="%(choices)s")


def download(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Fetch a model; Ctrl+C pauses."""
    services.sources.lend_token(arguments.ref)
    download_id = services.downloads.add(arguments.ref)
    if arguments.queue:
        return _say(arguments, console, {"queued": download_id})
    return _follow(arguments, services, console, download_id)


def list_downloads(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print all downloads."""
    snapshots = services.downloads.snapshots()
    if arguments.json:
        print_json(console, [_progress_json(s) | _facts_json(s) for s in snapshots])
    else:
        print_table(console, [[str(s.id), s.status, s.ref, _describe(s)] for s in snapshots], right=[0])
    return 0


def pause(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Stop a download, or all, and keep what has arrived."""
    if _means_all(arguments):
        services.downloads.pause_all()
        return _say(arguments, console, {"paused": "all"})
    _require(services, arguments.id)
    services.downloads.pause(arguments.id)
    return _say(arguments, console, {"paused": arguments.id})


def resume(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Go on with a download, and wait for its end; or with all."""
    if not _means_all(arguments):
        _require(services, arguments.id)
        services.downloads.resume(arguments.id)
        return _follow(arguments, services, console, arguments.id)
    services.downloads.resume_all()
    waiting = [snapshot.id for snapshot in services.downloads.snapshots() if snapshot.status in _ACTIVE]
    codes = [_follow(arguments, services, console, download_id) for download_id in waiting]
    return max(codes, default=0)


def cancel(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Stop a download and remove what has arrived; one that is over leaves the list."""
    if _require(services, arguments.id).status in _OVER:
        services.downloads.remove(arguments.id)
        return _say(arguments, console, {"forgotten": arguments.id})
    services.downloads.cancel(arguments.id)
    return _say(arguments, console, {"cancelled": arguments.id})


def order(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Change the order of what waits."""
    _require(services, arguments.id)
    services.downloads.move(arguments.id, arguments.place)
    return _say(arguments, console, {"order": [snapshot.id for snapshot in services.downloads.snapshots()]})


def _follow(arguments: argparse.Namespace, services: Services, console: Console, download_id: int) -> int:
    """Show how far a download is until it ends; Ctrl+C pauses it."""
    downloads = services.downloads
    line = ProgressLine(console)
    with keep_awake(), console.on_interrupt(lambda: downloads.pause(download_id)):
        while True:
            snapshot = downloads.wait(download_id, _PUBLISH_INTERVAL_S)
            if snapshot.status not in _ACTIVE:
                break
            if arguments.json:
                print_json(console, _progress_json(snapshot))
            else:
                line.show(_describe(snapshot))
    line.clear()
    if snapshot.error is not None:
        raise snapshot.error
    if snapshot.status != "done":
        advice = tr("Paused; what has arrived is kept. Run the same command to go on.")
        console.err(f"coterie: {advice}\n")
        return 1
    if arguments.json:
        print_json(console, _progress_json(snapshot))
        print_json(console, {"type": "done", "path": str(snapshot.path), "sha256": snapshot.sha256})
    else:
        console.out(f"{snapshot.path}\nsha256 {snapshot.sha256}\n")
    return 0


def _means_all(arguments: argparse.Namespace) -> bool:
    if arguments.all == (arguments.id is not None):
        raise BadUsage(tr("coterie: name one download by its ID, or all of them by --all."))
    return bool(arguments.all)


def _say(arguments: argparse.Namespace, console: Console, fact: dict[str, Any]) -> int:
    """What was done, for scripts; people see that it worked by seeing nothing."""
    if arguments.json:
        print_json(console, fact)
    return 0


def _require(services: Services, download_id: int) -> DownloadSnapshot:
    for snapshot in services.downloads.snapshots():
        if snapshot.id == download_id:
            return snapshot
    raise NoSuchDownload(download_id)


def _facts_json(snapshot: DownloadSnapshot) -> dict[str, Any]:
    error = snapshot.error
    return {
        "id": snapshot.id,
        "ref": snapshot.ref,
        "name": snapshot.name,
        "status": snapshot.status,
        "position": snapshot.position,
        "n_files": snapshot.n_files,
        "error": None if error is None else {"type": type(error).__name__, "message": words.sentence(error)},
    }


def _progress_json(snapshot: DownloadSnapshot) -> dict[str, Any]:
    return {
        "type": "progress",
        "received_bytes": snapshot.received_bytes,
        "verified_bytes": snapshot.verified_bytes,
        "size_bytes": snapshot.size_bytes,
        "rate_bytes_per_s": snapshot.rate_bytes_per_s,
        "eta_s": snapshot.eta_s,
        "n_connections": snapshot.n_connections,
        "waiting": snapshot.waiting,
        "retry_in_s": snapshot.retry_in_s,
    }


def _describe(snapshot: DownloadSnapshot) -> str:
    if snapshot.error is not None:
        return words.sentence(snapshot.error)
    parts = [formats.size(snapshot.received_bytes)]
    if snapshot.size_bytes is not None:
        parts[0] += f" / {formats.size(snapshot.size_bytes)}"
    if snapshot.waiting is not None:
        is_network = snapshot.waiting == "network"
        parts.append(tr("waiting for the network") if is_network else tr("waiting for the server"))
    elif snapshot.rate_bytes_per_s is not None:
        parts.append(formats.rate(snapshot.rate_bytes_per_s))
    if snapshot.status == "verifying":
        left_bytes = snapshot.received_bytes - snapshot.verified_bytes
        parts.append(tr("{size} to verify", size=formats.size(left_bytes)))
    elif snapshot.eta_s is not None:
        parts.append(tr("{time} left", time=formats.duration(snapshot.eta_s)))
    return "  ".join(parts)
