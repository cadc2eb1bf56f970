"""Markdown: the branch that is shown, as the model wrote it, with its reasoning folded."""

from __future__ import annotations

import html
import re
from typing import IO

from storage.exchange.carried import Carried, CarriedMessage
from storage.exchange.exporters.branches import fenced, shown_branch
from storage.exchange.exporters.labels import Labels
from storage.knowledge.places import place
from storage.records import Part

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
    for part in message.parts:
        _write_part(part, file, labels)
    for one in message.citations:
        file.write(f"\n\\[{one.number}] {_one_line(place(one.path, one.title, one.passage))}\n")
    if message.status != "complete":
        file.write(f"\n*{labels.unfinished}*\n")


def _write_part(part: Part, file: IO[str], labels: Labels) -> None:
    said = part.text.strip()
    match part.kind:
        case "text" if said:
            file.write(f"\n{said}\n")
        case "reasoning" if said:
            _write_fold(labels.reasoning, _FOLDS.sub("&lt;", said), file)
        case "image":
            file.write(f"\n*{labels.image}: {_one_line(part.name)}*\n")
        case "file" if not said:
            file.write(f"\n*{labels.file}: {_one_line(part.name)}*\n")
        case "file" | "tool_call":
            label = labels.file if part.kind == "file" else labels.tool_call
            _write_fold(f"{label}: {html.escape(_one_line(part.name), quote=False)}", fenced(said), file)
        case "tool_result":
            _write_fold(labels.tool_result, fenced(said), file)


def _write_fold(summary: str, said: str, file: IO[str]) -> None:
    quoted = "\n".join(f"> {line}".rstrip() for line in said.splitlines())
    file.write(f"\n<details>\n<summary>{summary}</summary>\n\n{quoted}\n\n</details>\n")


def _speaker(message: CarriedMessage, labels: Labels) -> str:
    if message.role == "assistant":
        return _one_line(message.generation.model_name) if message.generation else labels.assistant
    return labels.user if message.role == "user" else labels.system


def _one_line(text: str) -> str:
    return _LINES.sub(" ", text).strip()
