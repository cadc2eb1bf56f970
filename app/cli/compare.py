"""`coterie conversations compare`: two answers beside each other, word by word."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from app.cli.output import print_json, print_table, printable
from app.comparing import PARTS, changes_of, differing_parameters, facts, generation_of
from app.console import Console
from app.services import Services
from app.word_diff import Change, similarity
from storage.records import Message
from ui import formats
from ui.i18n import tr

_RED, _GREEN, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"
_FACTS = (
    "completion_tokens",
    "reasoning_tokens",
    "reasoning_ms",
    "decode_tokens_per_s",
    "stop_reason",
)


def add_parser(actions: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Declare the action."""
    parser = actions.add_parser(
        "compare", parents=parents, help="two answers or their reasoning, word by word"
    )
    parser.add_argument("first", metavar="ANSWER", type=int, help="number of an answer")
    parser.add_argument("second", metavar="OTHER", type=int, help="number of another one")
    parser.add_argument("--part", choices=PARTS, help="only this")
    parser.set_defaults(run=compare)


def compare(arguments: argparse.Namespace, services: Services, console: Console) -> int:
    """Print how both were made, and the way from one to the other."""
    first, second = services.storage.call(
        lambda store: tuple(store.conversations.message(id_) for id_ in (arguments.first, arguments.second))
    )
    one, other = generation_of(first), generation_of(second)
    parts = (arguments.part,) if arguments.part else PARTS
    changes = {part: changes_of(first, second, part) for part in parts}
    if arguments.json:
        print_json(
            console,
            {
                "is_same_question": first.parent_id == second.parent_id,
                "answers": [_facts(message) for message in (first, second)],
                "parameters": differing_parameters(one, other),
                "parts": {
                    part: {
                        "similarity": round(similarity(found), 4),
                        "changes": [asdict(change) for change in found],
                    }
                    for part, found in changes.items()
                },
            },
        )
        return 0
    rows = [("", str(first.id), str(second.id)), *facts(one, other)]
    print_table(console, [list(map(printable, row)) for row in rows], right=(1, 2))
    if first.parent_id != second.parent_id:
        console.out("\n" + tr("These answer different questions.") + "\n")
    titles = {"reasoning": tr("Reasoning"), "text": tr("Answer")}
    for part, found in changes.items():
        if found:
            share = formats.decimal(100 * similarity(found), 0)
            console.out(f"\n## {titles[part]} · {tr('{share} % the same', share=share)}\n\n")
            console.out("".join(_shown(change, console) for change in found).rstrip("\n") + "\n")
    return 0


def _facts(message: Message) -> dict[str, Any]:
    generation = generation_of(message)
    return {
        "message_id": message.id,
        "conversation_id": message.conversation_id,
        "model": generation.model_name,
        "engine": generation.engine,
        **{name: getattr(generation, name) for name in _FACTS},
    }


def _shown(change: Change, console: Console) -> str:
    """A change in colours on a screen, else between marks as `git diff --word-diff` has them."""
    if change.kind == "same":
        return printable(change.text) if console.is_screen else change.text
    if console.is_screen:
        return f"{_RED if change.kind == 'removed' else _GREEN}{printable(change.text)}{_PLAIN}"
    return f"[-{change.text}-]" if change.kind == "removed" else f"{{+{change.text}+}}"
