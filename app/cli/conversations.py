"""`coterie conversations`: what was said, as text and as JSON."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from app.cli.output import print_json, print_table, printable
from app.console import Console
from app.services import Services
from storage.records import Conversation, Message
from ui import formats
from ui.i18n import tr

_MARKS = str.maketrans({"\ue000": None, "\ue001": None})
_BOLD = str.maketrans({"\ue000": "\x1b[1m", "\ue001": "\x1b[0m"})


def add_parser(commands: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the command and its actions."""
    parser = commands.add_parser("conversations", parents=parents, help="stored conversations")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", parents=parents, help="the newest first")
    listing.add_argument("--limit", metavar="N", type=int)
    listing.set_defaults(run=list_conversations)
    showing = actions.add_parser("show", parents=parents, help="one, from its first message to its last")
    showing.add_argument("id", metavar="ID", type=int)
    showing.set_defaults(run=show)
    searching = actions.add_parser("search", parents=parents, help="in answers, questions and reasoning")
    searching.add_argument("text", metavar="TEXT")
    searching.add_argument("--limit", metavar="N", type=int, default=50)
    searching.add_argument("--part", choices=("text", "reasoning"), help="only in these")
    searching.set_defaults(run=search)


def list_conversations(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print the list."""
    found = services.storage.call(lambda store: store.conversations.list(arguments.limit))
    if arguments.json:
        print_json(console, [_conversation_json(conversation) for conversation in found])
        return 0
    now = datetime.now(UTC)
    print_table(
        console,
        [[str(c.id), formats.moment(c.updated_at, now), c.title or tr("Untitled")] for c in found],
        right=[0],
    )
    return 0


def show(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print one conversation as it is shown: the path to its newest message."""
    conversation, path = services.storage.call(
        lambda store: (store.conversations.get(arguments.id), store.conversations.path(arguments.id))
    )
    if arguments.json:
        messages = [_message_json(message) for message in path]
        print_json(console, _conversation_json(conversation) | {"messages": messages})
        return 0
    shown = printable if console.is_screen else str
    console.out(f"# {shown(conversation.title)}\n")
    for message in path:
        generation = message.generation
        name = generation.model_name if generation else tr("You")
        console.out(f"\n## {name}\n\n")
        for image_name in message.image_names:
            console.out(tr("Image: {name}", name=shown(image_name)) + "\n\n")
        if message.reasoning:
            quoted = "\n".join(f"> {line}".rstrip() for line in shown(message.reasoning).strip().splitlines())
            console.out(f"{quoted}\n\n")
        console.out(f"{shown(message.text)}\n")
        if message.status != "complete":
            console.out(f"({message.status})\n")
    return 0


def search(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print what was found, the newest first."""
    hits = services.storage.call(
        lambda store: store.search.find(arguments.text, limit=arguments.limit, part=arguments.part)
    )
    if arguments.json:
        print_json(
            console,
            [
                {
                    "conversation_id": hit.conversation_id,
                    "message_id": hit.message_id,
                    "part": hit.part,
                    "snippet": hit.snippet.translate(_MARKS),
                }
                for hit in hits
            ],
        )
        return 0
    for hit in hits:
        snippet = printable(hit.snippet).translate(_BOLD if console.is_screen else _MARKS)
        console.out(f"{hit.conversation_id}  {printable(hit.title)}\n    {snippet}\n")
    return 0


def _conversation_json(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "model": conversation.model_name,
        "system_prompt": conversation.system_prompt,
        "sampling": dict(conversation.sampling),
    }


def _message_json(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role,
        "status": message.status,
        "created_at": message.created_at.isoformat(),
        "parts": [asdict(part) for part in message.parts],
        "images": list(message.image_names),
        "generation": asdict(message.generation) if message.generation else None,
        "version_ids": list(message.sibling_ids),
    }
