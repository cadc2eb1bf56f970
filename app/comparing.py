"""Two answers beside each other: how both were made, and the way from one text to the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from app.errors import NotAnAnswer
from app.word_diff import Change, similarity, word_diff
from storage.records import Generation, Message
from ui import formats
from ui.i18n import tr
from ui.values import ComparedText, Comparison

SaidPart = Literal["reasoning", "text"]
PARTS: tuple[SaidPart, ...] = ("reasoning", "text")


def generation_of(message: Message) -> Generation:
    """How an answer was made.

    Raises:
        NotAnAnswer: No model made it.
    """
    if message.generation is None:
        raise NotAnAnswer(message.id)
    return message.generation


def changes_of(first: Message, second: Message, part: SaidPart) -> tuple[Change, ...]:
    """The way from one reasoning, or one answer, to the other."""
    texts = ((one.reasoning if part == "reasoning" else one.text) for one in (first, second))
    return word_diff(*texts)


def differing_parameters(one: Generation, other: Generation) -> dict[str, tuple[Any, Any]]:
    """Those that the two have different values of, by name."""
    names = sorted({*one.parameters, *other.parameters})
    pairs = {name: (one.parameters.get(name), other.parameters.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def facts(one: Generation, other: Generation) -> list[tuple[str, str, str]]:
    """Figures of both, and the parameters that differ: label, of the first, of the second."""
    rows = [
        (tr("Model"), one.model_name, other.model_name),
        (tr("Tokens"), _count(one.completion_tokens), _count(other.completion_tokens)),
        (tr("Thought"), _count(one.reasoning_tokens), _count(other.reasoning_tokens)),
        (tr("Tokens/s"), _rate(one.decode_tokens_per_s), _rate(other.decode_tokens_per_s)),
    ]
    differing = differing_parameters(one, other)
    return rows + [(name, _value(pair[0]), _value(pair[1])) for name, pair in differing.items()]


def comparison(first: Message, second: Message) -> Comparison:
    """All of it, as the window shows it.

    Raises:
        NotAnAnswer: One of them was not made by a model.
    """
    parts = []
    for part in PARTS:
        changes = changes_of(first, second, part)
        if changes:
            sides = [_side(changes, kind) for kind in ("removed", "added")]
            parts.append(ComparedText(part, similarity(changes), sides[0], sides[1]))
    rows = facts(generation_of(first), generation_of(second))
    return Comparison(first.id, second.id, tuple(rows), tuple(parts))


def _side(changes: Sequence[Change], kind: str) -> tuple[tuple[str, bool], ...]:
    """One of the two texts, with what only it has."""
    return tuple((change.text, change.kind == kind) for change in changes if change.kind in ("same", kind))


def _value(value: object) -> str:
    return "-" if value is None else str(value)


def _count(value: int | None) -> str:
    return "-" if value is None else formats.number(value)


def _rate(value: float | None) -> str:
    return "-" if value is None else formats.decimal(value)
