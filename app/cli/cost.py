"""`coterie conversations cost`: what answers took, and what they would have cost elsewhere."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.cli.output import print_json, print_table
from app.console import Console
from app.errors import BadUsage
from app.prices import EXAMPLE, is_price_list, price_of
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


def bad_prices(value: Any) -> str:
    """That a value is no list of prices, and how one is written."""
    return tr(
        "coterie: {value} is no list of prices. One is written like {example}, with a price for a million"
        " tokens by the name of a model, or “*” for all others; {empty} is none.",
        value=json.dumps(value, ensure_ascii=False),
        example=EXAMPLE,
        empty="{}",
    )


def cost(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the sums by model, then of all, and what they would have cost at the list of prices.

    Raises:
        BadUsage: Another program wrote a list that cannot be read.
    """
    prices = services.setting("prices")
    if not is_price_list(prices):
        raise BadUsage(bad_prices(prices))

    def read(store: Store) -> list[Cost]:
        if arguments.id is not None:
            store.conversations.get(arguments.id)  # says so where there is none
        return store.costs.by_model(arguments.id)

    sums = services.storage.call(read)
    priced = [(found, price_of(found, prices)) for found in sums]
    total, price = _total(sums), _sum([price for _, price in priced])
    if arguments.json:
        bodies = [{**asdict(found), "price": price} for found, price in priced]
        whole = {name: value for name, value in asdict(total).items() if name != "model_name"}
        body = {"currency": prices.get("currency"), "models": bodies, "total": whole | {"price": price}}
        print_json(console, body)
        return 0
    if not sums:
        return 0
    head = [tr("Model"), tr("Answers"), tr("Read"), tr("Cached"), tr("Written"), tr("Thought"), tr("Time")]
    head += [tr("Energy")] * (total.energy_j is not None) + [tr("Price")] * bool(prices)
    rows = [head, *(_row(found, price, total, prices) for found, price in priced)]
    if len(sums) > 1:
        rows.append(_row(total, price, total, prices))
    print_table(console, rows, right=range(1, len(head)))
    return 0


def _row(found: Cost, price: float | None, total: Cost, prices: dict[str, Any]) -> list[str]:
    row = [found.model_name, formats.number(found.n_answers), formats.number(found.prompt_tokens)]
    row += [formats.number(found.cached_tokens), formats.number(found.completion_tokens)]
    row += [formats.number(found.reasoning_tokens), formats.duration(found.duration_s)]
    if total.energy_j is not None:
        row.append("-" if found.energy_j is None else f"{formats.decimal(found.energy_j / 3600, 2)} Wh")
    if prices:
        row.append("-" if price is None else f"{formats.decimal(price, 4)} {prices['currency']}")
    return row


def _total(sums: Sequence[Cost]) -> Cost:
    """Of all models; energy is that of the answers for which it could be read."""
    return Cost(
        tr("Total"),
        n_answers=sum(found.n_answers for found in sums),
        prompt_tokens=sum(found.prompt_tokens for found in sums),
        cached_tokens=sum(found.cached_tokens for found in sums),
        completion_tokens=sum(found.completion_tokens for found in sums),
        reasoning_tokens=sum(found.reasoning_tokens for found in sums),
        duration_s=sum(found.duration_s for found in sums),
        energy_j=_sum([found.energy_j for found in sums]),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
