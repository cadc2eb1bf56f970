"""`coterie conversations`: what was said, as text and as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.cli import compare, conversation_care, cost, exchange, filters, rerun, thoughts
from app.cli.choices import positive
from app.cli.conversation_json import MARKS, conversation_json, hit_json, message_json
from app.cli.knowledge_words import citation_json, citation_line
from app.cli.output import print_json, print_table, printable
from app.console import Console
from app.services import Services
from storage.records import Conversation, Message, Part
from storage.store import Store
from ui import formats
from ui.i18n import tr

_BOLD = str.maketrans({"\ue000": "\x1b[1m", "\ue001": "\x1b[0m"})


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("conversations", parents=parents, help="stored conversations")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", parents=parents, help="what is pinned, then the newest first")
    listing.add_argument("--limit", metavar="N", type=positive)
    filters.add_options(listing, messages=False)
    listing.set_defaults(run=list_conversations)
    showing = actions.add_parser("show", parents=parents, help="one, from its first message to its last")
    showing.add_argument("id", metavar="ID", type=int)
    showing.add_argument("--last", metavar="N", type=positive, help="only its last messages")
    showing.set_defaults(run=show)
    searching = actions.add_parser("search", parents=parents, help="in titles, answers, questions, reasoning")
    searching.add_argument("text", metavar="TEXT")
    searching.add_argument("--limit", metavar="N", type=positive, default=50)
    searching.add_argument(
        "--by",
        choices=("newest", "relevance"),
        default="newest",
        help="what comes first; the newest is the default",
    )
    filters.add_options(searching, messages=True)
    searching.set_defaults(run=search)
    conversation_care.add_actions(actions, parents)
    compare.add_parser(actions, parents)
    rerun.add_parser(actions, parents)
    exchange.add_actions(actions, parents)
    thoughts.add_actions(actions, parents)
    cost.add_parser(actions, parents)


def list_conversations(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the list."""
    where = filters.filter_of(arguments)
    found = services.storage.call(lambda store: store.conversations.list(arguments.limit, where))
    if arguments.json:
        print_json(console, [conversation_json(conversation) for conversation in found])
        return 0
    now = datetime.now(UTC)
    print_table(
        console,
        [[str(c.id), formats.moment(c.updated_at, now), c.title or tr("Untitled"), _marks(c)] for c in found],
        right=[0],
    )
    return 0


def show(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print one conversation as it is shown: the path to its newest message."""

    def read(store: Store) -> tuple[Conversation, list[Message]]:
        conversation = store.conversations.get(arguments.id)
        if arguments.last is not None:
            return conversation, store.conversations.tip(arguments.id, arguments.last)
        return conversation, store.conversations.path(arguments.id)

    conversation, path = services.storage.call(read)
    ids = [message.id for message in path]
    citations = services.storage.call(lambda store: store.citations.of(ids))
    if arguments.json:
        messages = [
            message_json(message) | {"citations": list(map(citation_json, citations.get(message.id, ())))}
            for message in path
        ]
        print_json(console, conversation_json(conversation) | {"messages": messages})
        return 0
    shown = printable if console.is_screen else str
    console.out(f"# {shown(conversation.title)}\n")
    for message in path:
        generation = message.generation
        name = generation.model_name if generation else tr("You")
        console.out(f"\n## {name}\n\n")
        console.out("\n".join(filter(None, (_said(part, shown) for part in message.parts))))
        for citation in citations.get(message.id, ()):
            console.out(f"\n{shown(citation_line(citation))}\n")
        if message.status != "complete":
            console.out(f"({message.status})\n")
    return 0


def _said(part: Part, shown: Callable[[str], str]) -> str:
    """A part as lines; empty for one that says nothing."""
    match part.kind:
        case "text":
            return f"{shown(part.text)}\n"
        case "reasoning":
            return _quoted(shown(part.text))
        case "image":
            return tr("Image: {name}", name=shown(part.name)) + "\n"
        case "file":
            return tr("File: {name}", name=shown(part.name)) + "\n" + _quoted(shown(part.text))
        case "tool_call":
            return tr("Tool: {name}", name=shown(part.name)) + "\n" + _quoted(shown(part.text))
        case "tool_result":
            return tr("Result:") + "\n" + _quoted(shown(part.text))


def _quoted(text: str) -> str:
    lines = [f"> {line}".rstrip() for line in text.strip().splitlines()]
    return "\n".join(lines) + "\n" if lines else ""


def search(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print what was found."""
    where = filters.filter_of(arguments)
    hits = services.storage.call(
        lambda store: store.search.find(arguments.text, where, limit=arguments.limit, order=arguments.by)
    )
    if arguments.json:
        print_json(console, [hit_json(hit) for hit in hits])
        return 0
    for hit in hits:
        snippet = printable(hit.snippet).translate(_BOLD if console.is_screen else MARKS)
        console.out(f"{hit.conversation_id}  {printable(hit.title)}\n    {snippet}\n")
    return 0


def _marks(conversation: Conversation) -> str:
    """What a person did with it, in one cell: `pinned  Work/Models  #moe #draft`."""
    words = [tr("pinned")] if conversation.is_pinned else []
    words += [tr("archived")] if conversation.archived_at else []
    words += [conversation.folder] if conversation.folder else []
    return "  ".join([*words, *(f"#{tag}" for tag in conversation.tags)])
