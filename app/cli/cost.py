"""`coterie conversations cost`: what answers took, and what they would have cost elsewhere."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from app.cli.output import print_json, print_table
from app.console import Console
from app.prices import price_of
from app.services import Services
from storage.records import Cost
from storage.store import Store
from ui import formats
from ui.i18n import tr


def add_parser(actions: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the action."""
    parser = actions.add_parser("cost", parents=parents, help="tokens, time and energy that answers took")
    parser.add_argument("id", metavar="ID", type=int, nargs="?", help="of one conversation, else of all")
    parser.set_defaults(run=cost)


def cost(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the sums by model, and what they would have cost at the list of prices."""
    prices = services.setting("prices")

    def read(store: Store) -> list[Cost]:
        if arguments.id is not None:
            store.conversations.get(arguments.id)  # says so where there is none
        return store.costs.by_model(arguments.id)

    sums = services.storage.call(read)
    if arguments.json:
        currency = prices.get("currency")
        bodies = [{**asdict(found), "price": price_of(found, prices)} for found in sums]
        print_json(console, {"currency": currency, "models": bodies})
        return 0
    if not sums:
        return 0
    rows = [[tr("Model"), tr("Answers"), tr("Read"), tr("Cached"), tr("Written"), tr("Thought"), tr("Time")]]
    has_energy = any(found.energy_j is not None for found in sums)
    rows[0] += [tr("Energy")] * has_energy + [tr("Price")] * bool(prices)
    for found in sums:
        row = [found.model_name, formats.number(found.n_answers), formats.number(found.prompt_tokens)]
        row += [formats.number(found.cached_tokens), formats.number(found.completion_tokens)]
        row += [formats.number(found.reasoning_tokens), formats.duration(found.duration_s)]
        if has_energy:
            row.append("-" if found.energy_j is None else f"{formats.decimal(found.energy_j / 3600, 2)} Wh")
        if prices:
            price = price_of(found, prices)
            row.append("-" if price is None else f"{formats.decimal(price, 4)} {prices['currency']}")
        rows.append(row)
    print_table(console, rows, right=range(1, len(rows[0])))
    return 0
