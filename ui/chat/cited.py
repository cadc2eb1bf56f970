"""Numbers in an answer that name passages, as links to them: [1]."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from ui.chat.markdown import PieceSpec, Span

SCHEME = "passage:"
_NUMBER = re.compile(r"\[(\d{1,4})\]")


def cited(specs: Sequence[PieceSpec], numbers: Collection[int]) -> list[PieceSpec]:
    """The pieces with links for those of these numbers that stand in square brackets, outside of code."""
    if not numbers:
        return list(specs)
    return [
        replace(
            spec,
            spans=_linked(spec.spans, numbers),
            rows=tuple(tuple(_linked(cell, numbers) for cell in row) for row in spec.rows),
        )
        for spec in specs
    ]


def number_of(href: str) -> int | None:
    """The number that such a link names; None for another link."""
    return int(href.removeprefix(SCHEME)) if href.startswith(SCHEME) else None


def _linked(spans: Sequence[Span], numbers: Collection[int]) -> tuple[Span, ...]:
    return tuple(piece for span in spans for piece in _pieces(span, numbers))


def _pieces(span: Span, numbers: Collection[int]) -> Iterator[Span]:
    if span.code or span.maths or span.href is not None:
        yield span
        return
    end = 0
    for match in _NUMBER.finditer(span.text):
        if int(match[1]) not in numbers:
            continue
        if match.start() > end:
            yield replace(span, text=span.text[end : match.start()])
        yield replace(span, text=match[0], href=f"{SCHEME}{int(match[1])}")
        end = match.end()
    if end < len(span.text) or not span.text:
        yield replace(span, text=span.text[end:])
