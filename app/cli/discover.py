"""`coterie models search` and `show`: what a hub has before a download, and what a file here has."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from app import discovering
from app.cli import file_page
from app.cli.choices import positive
from app.cli.output import print_json, print_table, printable
from app.console import Console
from app.discovering import Hit, Page
from app.services import Services
from model_manager import catalogue
from model_manager.offers import Offer
from model_manager.types import HubFacts
from ui import formats, offer_words
from ui.i18n import tr
from ui.plain_card import plain_card

_CARD_LINES = 40


def add_actions(action: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Declare them."""
    parser = action("search", search, "look for models on the hub")
    parser.add_argument("text", metavar="TEXT", nargs="?", default="", help="a part of the name")
    parser.add_argument(
        "--source", choices=("hub", "modelscope"), default="hub", help="where: the hub or ModelScope (hub)"
    )
    parser.add_argument("--author", metavar="A", help="of this person or organization")
    parser.add_argument(
        "--sort",
        choices=("downloads", "likes", "trending", "modified"),
        default="downloads",
        help="what comes first",
    )
    parser.add_argument("--moe", action="store_true", help="mixtures of experts only")
    parser.add_argument("--reasoning", action="store_true", help="models that reason only")
    parser.add_argument("--fits", action="store_true", help="only what runs here (asks for a header of each)")
    parser.add_argument("--license", metavar="L", help="as cards write it: apache-2.0, mit, ...")
    parser.add_argument("--limit", metavar="N", type=positive, default=20, help="at most so many (20)")
    parser = action("show", show, "a repository: what it offers; a model that is here: what is in its files")
    parser.add_argument(
        "ref", metavar="REF", help="[modelscope:]owner/repo[:QUANT or /file], a URL; a name, a file"
    )
    parser.add_argument("--fits", action="store_true", help="judge by the header of each, not by its size")
    parser.add_argument(
        "--card",
        action="store_true",
        help="all of the card (or of a template's difference), not its beginning",
    )
    parser.add_argument("--tensors", action="store_true", help="of a model that is here: each tensor")


def search(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print what was found."""
    hits = discovering.search(
        services,
        arguments.text,
        source=arguments.source,
        author=arguments.author,
        sort=arguments.sort,
        license_name=arguments.license,
        moe_only=arguments.moe,
        reasoning_only=arguments.reasoning,
        fits_only=arguments.fits,
        limit=arguments.limit,
    )
    if arguments.json:
        print_json(console, [_hit_json(hit) for hit in hits])
        return 0
    if not hits:
        console.out(
            tr("Nothing was found. Try fewer or other words, or leave out a filter (--author, --license, …).")
            + "\n"
        )
        return 0
    print_table(console, [_hit_row(hit) for hit in hits], right=[1, 3, 4])
    return 0


def show(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the page of a repository, or what the files of a model that is here say."""
    name = file_page.local_name(arguments, services, console)
    if name is not None:
        return file_page.show_file(arguments, services, console, name)
    page = discovering.page(services, arguments.ref, with_headers=arguments.fits)
    if arguments.json:
        print_json(console, _page_json(page))
        return 0
    _print_facts(page, console)
    _print_offers(page, console)
    lines = plain_card(page.card).splitlines()
    shown = lines if arguments.card else lines[:_CARD_LINES]
    if shown:
        console.out("\n" + "\n".join(map(printable, shown)) + "\n")
    if len(shown) < len(lines):
        console.out("\n" + tr("({n} more lines: --card shows them.)", n=len(lines) - len(shown)) + "\n")
    return 0


def _print_facts(page: Page, console: Console) -> None:
    facts = page.model.facts or HubFacts(page.model.repo_id)
    rows = [
        [tr("repository"), page.model.repo_id],
        [tr("licence"), facts.license or tr("not told")],
        [tr("architecture"), facts.architecture or tr("not told")],
        [tr("kind"), tr("mixture of experts") if facts.is_moe else tr("dense, as far as the hub tells")],
    ]
    if facts.total_params:
        rows.append([tr("parameters"), formats.count(facts.total_params)])
    if facts.n_ctx_train_tokens:
        rows.append([tr("context"), tr("{n} tokens", n=formats.number(facts.n_ctx_train_tokens))])
    rows.append([tr("downloads"), formats.number(facts.downloads)])
    entry = catalogue.find(page.model.repo_id)
    if entry is not None and page.model.source == "hub":
        found = catalogue.differences(entry, page.model)
        words = [offer_words.difference(other.what, other.expected, other.found) for other in found]
        rows.append([tr("catalogue"), "; ".join(words) or tr("as the catalogue says")])
    if page.model.is_gated:
        rows.append(
            [
                tr("access"),
                tr("only after its terms were accepted on the hub; needs your token: coterie tokens set"),
            ]
        )
    print_table(console, rows)
    console.out("\n")


def _print_offers(page: Page, console: Console) -> None:
    shelf = page.shelf
    if not shelf.offers:
        console.out(
            tr("No model in this repository can be run: it has no complete GGUF file. Look for a conversion:")
            + f" coterie models search {printable(page.model.repo_id.rpartition('/')[2])}\n"
        )
    print_table(console, [_offer_row(offer) for offer in shelf.offers], right=[2])
    for file in shelf.projectors[:1]:
        words = tr("comes along with any of them, for images: {file}", file=file.path)
        console.out(f"   {printable(words)}  {formats.size(file.size_bytes)}\n")
    for file in shelf.incomplete:
        console.out(
            f"   {printable(tr('not usable, other parts of it are missing: {file}', file=file.path))}\n"
        )
    chosen = next((offer for offer in shelf.offers if offer.is_recommended), None)
    if chosen is not None:
        console.out(
            "\n" + tr("For this machine (*):") + f" coterie models download {printable(chosen.ref)}\n"
        )
    elif shelf.offers:
        console.out(
            "\n" + tr("None of them fits into this machine's memory. Look for a smaller model.") + "\n"
        )


def _offer_row(offer: Offer) -> list[str]:
    n_files = len(offer.files)
    return [
        "*" if offer.is_recommended else "",
        offer.label,
        formats.size(offer.size_bytes),
        tr("{n} files", n=n_files) if n_files > 1 else "",
        offer_words.verdict(offer.verdict),
        offer_words.quality(offer.quality.grade, offer.quality.perplexity_increase),
    ]


def _hit_row(hit: Hit) -> list[str]:
    facts = hit.facts
    row = [
        facts.ref,
        formats.count(facts.total_params) if facts.total_params else "",
        tr("experts") if facts.is_moe else "",
        f"↓ {formats.number(facts.downloads)}",
        f"♥ {formats.number(facts.likes)}",
        facts.modified_at[:10],
        facts.license,
    ]
    if hit.offer is not None:
        row.append(f"{hit.offer.label}  {formats.size(hit.offer.size_bytes)}")
    return row


def _hit_json(hit: Hit) -> dict[str, Any]:
    found = _facts_json(hit.facts)
    return found if hit.offer is None else found | {"offer": _offer_json(hit.offer)}


def _page_json(page: Page) -> dict[str, Any]:
    chosen = next((offer.ref for offer in page.shelf.offers if offer.is_recommended), None)
    return _facts_json(page.model.facts or HubFacts(page.model.repo_id)) | {
        "revision": page.model.revision,
        "is_gated": page.model.is_gated,
        "quantizations": [_offer_json(offer) for offer in page.shelf.offers],
        "recommended": chosen,
        "vision": [
            {"path": file.path, "size_bytes": file.size_bytes, "sha256": file.sha256}
            for file in page.shelf.projectors
        ],
        "incomplete": [file.path for file in page.shelf.incomplete],
        "card": plain_card(page.card),
    }


def _facts_json(facts: HubFacts) -> dict[str, Any]:
    return {
        "repo": facts.repo_id,
        "source": facts.source,
        "ref": facts.ref,
        "downloads": facts.downloads,
        "likes": facts.likes,
        "trending": facts.trending,
        "modified_at": facts.modified_at or None,
        "license": facts.license or None,
        "architecture": facts.architecture or None,
        "total_params": facts.total_params or None,
        "n_ctx_train_tokens": facts.n_ctx_train_tokens or None,
        "is_moe": facts.is_moe,
        "is_reasoning": facts.is_reasoning,
        "is_gated": facts.is_gated,
    }


def _offer_json(offer: Offer) -> dict[str, Any]:
    return {
        "name": offer.label,
        "ref": offer.ref,
        "files": [file.path for file in offer.files],
        "size_bytes": offer.size_bytes,
        "quality": {
            "grade": offer.quality.grade,
            "perplexity_increase": offer.quality.perplexity_increase,
            "words": offer_words.quality(offer.quality.grade, offer.quality.perplexity_increase),
        },
        "verdict": offer.verdict,
        "verdict_basis": offer.basis,
        "is_recommended": offer.is_recommended,
    }
