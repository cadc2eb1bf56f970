"""`coterie models catalogue`: models to begin with, by the memory of a machine."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from app.cli.output import print_json, print_table
from app.console import Console
from app.services import Services
from model_manager import catalogue
from model_manager.catalogue import CatalogueEntry
from ui import formats, offer_words
from ui.i18n import language, tr


def add_action(action: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Declare it."""
    parser = action("catalogue", show_catalogue, "models to begin with, by the memory of a machine")
    parser.add_argument("--tier", metavar="GIB", type=_size, help="only those for a machine with so much")


def show_catalogue(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the entries, small machines first."""
    shown = list(catalogue.entries())
    if arguments.tier is not None:
        tier = catalogue.tier_of(arguments.tier)
        shown = [entry for entry in shown if entry.tier_gib == tier]
    verified = services.setting("verified_models")
    if arguments.json:
        print_json(console, [_as_json(entry, verified) for entry in shown])
        return 0
    if not shown:
        smallest = f"{catalogue.TIERS_GIB[0]} GiB"
        console.out(
            tr("Nothing here suits so little memory; the smallest want {size}.", size=smallest) + "\n"
        )
        return 0
    print_table(console, [_row(entry, verified) for entry in shown], right=[0, 2, 3])
    console.out("\n")
    console.out(
        tr(
            "“?”: not read from its source. Each entry is checked on the hub when it is first used:"
            " coterie models show REPO"
        )
        + "\n"
    )
    return 0


def _row(entry: CatalogueEntry, verified: dict[str, Any]) -> list[str]:
    mark = "" if entry.size_mark == "seen" else "?"
    return [
        f"{entry.tier_gib} GiB",
        entry.repo_id + ("?" if entry.repo_mark == "guessed" and entry.repo_id not in verified else ""),
        f"{formats.count(entry.total_params)} / {formats.count(entry.active_params)}",
        f"{formats.size(entry.size_bytes)}{mark}",
        (entry.license + ("" if entry.license_mark == "seen" else "?")) or "?",
        offer_words.reasoning(entry.reasoning),
        _verified_words(verified.get(entry.repo_id)),
        entry.character.get(language(), entry.character["en"]),
    ]


def _verified_words(seen: dict[str, Any] | None) -> str:
    if seen is None:
        return tr("not verified")
    return tr("verified {date}", date=str(seen.get("at", ""))[:10])


def _as_json(entry: CatalogueEntry, verified: dict[str, Any]) -> dict[str, Any]:
    seen = verified.get(entry.repo_id, {})
    return {
        "repo": entry.repo_id,
        "repo_mark": entry.repo_mark,
        "revision": entry.revision,
        "architecture": entry.architecture,
        "total_params": entry.total_params,
        "active_params": entry.active_params,
        "size_bytes": entry.size_bytes,
        "size_mark": entry.size_mark,
        "license": entry.license or None,
        "license_mark": entry.license_mark,
        "reasoning": entry.reasoning,
        "tier_gib": entry.tier_gib,
        "character": entry.character.get(language(), entry.character["en"]),
        "verified_at": seen.get("at"),
        "verified_revision": seen.get("revision"),
    }


def _size(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1 << 20:
        raise argparse.ArgumentTypeError("must be a size in GiB")
    return value
