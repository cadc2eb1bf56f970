"""Markdown: the branch that is shown, as the model wrote it, with its reasoning folded."""

from __future__ import annotations

import re
from typing import IO

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.exporters.branches import reasoning_of, shown_branch, text_of
from storage.exchange.exporters.labels import Labels
from storage.knowledge.places import place

# Inside the fold they would end it.
_FOLDS = re.compile(r"<(?=/?(?:details|summary)\b)", re.IGNORECASE)
_LINES = re.compile(r"[\r\n]+")


def write(conversation: Carried, file: IO[str], labels: Labels) -> None:
    """The whole document."""
    file.write(f"# {_one_line(conversation.title) or labels.untitled}\n")
    if conversation.system_prompt:
        file.write(f"\n## {labels.system}\n\n{conversation.system_prompt.strip()}\n")
    for message in shown_branch(conversation):
        _write_message(message, file, labels)


def _write_message(message: CarriedMessage, file: IO[str], labels: Labels) -> None:
    file.write(f"\n## {_speaker(message, labels)}\n")
    if message.images:
        names = ", ".join(_one_line(image.name) for image in message.images)
        file.write(f"\n*{labels.images}: {names}*\n")
    reasoning = reasoning_of(message).strip()
    if reasoning:
        quoted = "\n".join(f"> {line}".rstrip() for line in _FOLDS.sub("&lt;", reasoning).splitlines())
        file.write(f"\n<details>\n<summary>{labels.reasoning}</summary>\n\n{quoted}\n\n</details>\n")
    text = text_of(message).strip()
    if text:
        file.write(f"\n{text}\n")
    for one in message.citations:
        file.write(f"\n\\[{one.number}] {_one_line(place(one.path, one.title, one.passage))}\n")
    if message.status != "complete":
        file.write(f"\n*{labels.unfinished}*\n")


def _speaker(message: CarriedMessage, labels: Labels) -> str:
    if message.role == "assistant":
        return _one_line(message.generation.model_name) if message.generation else labels.assistant
    return labels.user if message.role == "user" else labels.system


def _one_line(text: str) -> str:
    return _LINES.sub(" ", text).strip()
