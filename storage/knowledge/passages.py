"""Cuts blocks into passages: as long as a model likes to read, never across headings or pages.

Short blocks under one heading are joined; a long one is cut at an empty line, else at a line, the end of a
sentence, a space, and only then anywhere. A passage keeps where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from storage.knowledge.records import Block, Passage
from storage.terms import CJK_RUN

# About 300 tokens: several fit beside a question into a small context, and one is still about one thing.
MAX_WEIGHT = 1200
# A letter of Chinese, Japanese or Korean is about a token, four letters of others are.
_CJK_EXTRA = 2
_CUTS = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…])\s+|(?<=[。！？；])"),
    re.compile(r"\s+"),
)


def passages_of(blocks: Iterable[Block]) -> Iterator[Passage]:
    """The passages of a document, in its order."""
    open_blocks: list[Block] = []
    open_weight = 0
    for block in blocks:
        for piece in _pieces(block):
            weight = _weight(piece.text)
            if open_blocks and (
                open_weight + weight > MAX_WEIGHT
                or piece.headings != open_blocks[0].headings
                or piece.page != open_blocks[0].page
            ):
                yield _joined(open_blocks)
                open_blocks, open_weight = [], 0
            open_blocks.append(piece)
            open_weight += weight
    if open_blocks:
        yield _joined(open_blocks)


def _joined(blocks: list[Block]) -> Passage:
    first, last = blocks[0], blocks[-1]
    return Passage(
        "\n\n".join(block.text for block in blocks),
        first.headings,
        first.page,
        first.line,
        None if last.line is None else last.line + last.text.count("\n"),
    )


def _pieces(block: Block) -> Iterator[Block]:
    """The block without blank edges; in pieces where it is too long."""
    for start, end in _spans(block.text, 0, len(block.text)):
        raw = block.text[start:end]
        text = raw.strip()
        if not text:
            continue
        # Leading spaces of a first line are the indentation of code.
        begin = start + len(raw) - len(raw.lstrip())
        line_start = block.text.rfind("\n", start, begin) + 1 or start
        line = None if block.line is None else block.line + block.text.count("\n", 0, begin)
        yield Block(block.text[line_start:end].rstrip(), block.headings, block.page, line)


def _spans(text: str, start: int, end: int, level: int = 0) -> Iterator[tuple[int, int]]:
    """Stretches that together are `text[start:end]`, none heavier than allowed, each as long as can be."""
    if _weight(text[start:end]) <= MAX_WEIGHT:
        yield start, end
        return
    if level == len(_CUTS):
        yield from _hard_spans(text, start, end)
        return
    begin, last, weight = start, start, 0
    for stop in [*(cut.end() for cut in _CUTS[level].finditer(text, start, end)), end]:
        added = _weight(text[last:stop])
        if weight and weight + added > MAX_WEIGHT:
            yield begin, last
            begin, weight = last, 0
        if added > MAX_WEIGHT:
            yield from _spans(text, begin, stop, level + 1)
            begin, added = stop, 0
        weight += added
        last = stop
    if begin < end:
        yield begin, end


def _hard_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    size = MAX_WEIGHT // (1 + _CJK_EXTRA)
    for begin in range(start, end, size):
        yield begin, min(begin + size, end)


def _weight(text: str) -> int:
    if text.isascii():
        return len(text)
    return len(text) + _CJK_EXTRA * sum(len(run.group()) for run in CJK_RUN.finditer(text))
