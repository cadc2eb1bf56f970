"""`coterie conversations thoughts` and `outline`: how long models thought, and in what steps."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from app.cli import filters
from app.cli.choices import positive
from app.cli.output import print_json, print_table, printable
from app.cli.progress import LoadingLine
from app.console import Console
from app.engines import LoadCancelled
from app.errors import BadUsage, Interrupted, TokensNotKept
from app.outline import outline, token_spans
from app.services import Services
from model_manager.engine.client import Cancel
from storage.records import Thought
from ui import formats
from ui.i18n import tr

_ENDED_BY = ("model", "budget", "person", "limit")


def add_actions(actions: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare them below `coterie conversations`."""
    listing = actions.add_parser("thoughts", parents=parents, help="how long models thought before answers")
    listing.add_argument(
        "--by",
        choices=("newest", "tokens", "time", "rate", "share"),
        default="newest",
        help="what comes first",
    )
    listing.add_argument("--ended-by", choices=_ENDED_BY, help="what ended the thinking")
    listing.add_argument(
        "--effort", metavar="WORD", help="how hard the model was asked to think, such as low"
    )
    listing.add_argument("--min-tokens", metavar="N", type=positive, default=1)
    listing.add_argument("--limit", metavar="N", type=positive, default=50)
    filters.add_options(listing, messages=True)
    listing.set_defaults(run=thoughts)
    outlining = actions.add_parser("outline", parents=parents, help="the steps of an answer's reasoning")
    outlining.add_argument("message", metavar="ANSWER", type=int, help="number of an answer")
    outlining.add_argument(
        "--tokens",
        action="store_true",
        help="and where each begins and ends among the tokens; loads the model",
    )
    outlining.set_defaults(run=print_outline)


def thoughts(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the list."""
    where = filters.filter_of(arguments)
    found = services.storage.call(
        lambda store: store.thoughts.list(
            where,
            arguments.by,
            arguments.limit,
            ended_by=arguments.ended_by,
            effort=arguments.effort,
            min_tokens=arguments.min_tokens,
        )
    )
    if arguments.json:
        print_json(console, [_thought_json(thought) for thought in found])
        return 0
    now = datetime.now(UTC)
    rows = [
        [
            str(thought.message_id),
            formats.moment(thought.created_at, now),
            thought.model_name,
            formats.number(thought.reasoning_tokens),
            "-" if thought.reasoning_ms is None else f"{formats.decimal(thought.reasoning_ms / 1000)} s",
            "-" if thought.tokens_per_s is None else formats.decimal(thought.tokens_per_s),
            "-" if thought.share is None else f"{formats.decimal(100 * thought.share, 0)} %",
            printable(thought.effort or "-"),
            "-" if thought.think_budget_tokens is None else formats.number(thought.think_budget_tokens),
            thought.thinking_ended_by or "-",
            thought.title or tr("Untitled"),
        ]
        for thought in found
    ]
    if rows:
        head = [
            "",
            "",
            tr("Model"),
            tr("Tokens"),
            tr("Time"),
            tr("Tokens/s"),
            tr("Share"),
            tr("Effort"),
            tr("Budget"),
            tr("Ended by"),
            tr("Title"),
        ]
        print_table(console, [head, *rows], right=(0, 3, 4, 5, 6, 8))
    return 0


def _thought_json(thought: Thought) -> dict[str, Any]:
    return {
        **asdict(thought),
        "created_at": thought.created_at.isoformat(),
        "share": thought.share,
        "tokens_per_s": thought.tokens_per_s,
    }


# --- steps -----------------------------------------------------------------------------------------------


def print_outline(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the steps; places are those of characters, with `--tokens` also those of tokens."""
    message = services.storage.call(lambda store: store.conversations.message(arguments.message))
    if not message.reasoning.strip():
        raise BadUsage(tr("coterie: message {id} holds no reasoning.", id=message.id))
    steps = outline(message.reasoning)
    spans: list[tuple[int, int]] | None = None
    if arguments.tokens:
        pieces = _pieces(message.id, services, console)
        spans = token_spans(steps, message.reasoning, pieces)
        if spans is None:
            raise TokensNotKept(message.id)
    bodies = [asdict(step) for step in steps]
    if spans is not None:
        for body, (first, end) in zip(bodies, spans, strict=True):
            body |= {"first_token": first, "end_token": end}
    if arguments.json:
        print_json(console, {"message_id": message.id, "steps": bodies})
        return 0
    columns = ("first_token", "end_token") if spans is not None else ("start", "end")
    rows = [
        [*(formats.number(body[name]) for name in columns), body["kind"], body["title"]] for body in bodies
    ]
    print_table(console, rows, right=(0, 1))
    return 0


def _pieces(message_id: int, services: Services, console: Console) -> list[str]:
    cancel = Cancel()
    try:
        with console.on_interrupt(cancel.set), LoadingLine(console, services.engines):
            _, answer = services.inspecting.tokens(message_id, cancel)
    except LoadCancelled as error:
        raise Interrupted from error
    return [token.text for token in answer]
