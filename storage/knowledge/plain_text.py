"""Text files as blocks: plain text, Markdown and source code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from storage.knowledge.records import Block

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_DEFINITION = re.compile(
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|sealed|async|pub(?:\(\w+\))?"
    r"|unsafe|inline|constexpr|open|data|extern|override|partial)\s+)*"
    r"(?:class|def|fn|func|fun|function|interface|struct|enum|union|impl|trait|mod|module|namespace|package"
    r"|type|typedef|object|protocol|extension|macro_rules!|template|sub|proc|procedure|CREATE\s+\w+)\b"
    # C and its kin name the type first: `int main(void) {`
    r"|[\w:<>*&\[\], ]+\([^;]*\)\s*(?:const\s*)?\{?$"
)
_MAX_HEADING_CHARACTERS = 100


def text_blocks(text: str) -> Iterator[Block]:
    """A block a paragraph."""
    for line, paragraph in _paragraphs(text.split("\n"), 1):
        yield Block(paragraph, line=line)


def markdown_blocks(text: str) -> Iterator[Block]:
    """A block a paragraph, list or fence, under its headings. Source: https://spec.commonmark.org/0.31.2/."""
    headings: list[tuple[int, str]] = []
    lines = text.split("\n")
    begin = 0
    fence = ""

    def above(end: int) -> Iterator[Block]:
        path = tuple(title for _, title in headings)
        for line, paragraph in _paragraphs(lines[begin:end], begin + 1, keeps_fences=True):
            yield Block(paragraph, path, line=line)

    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark.group(1).startswith(fence) and not line[mark.end() :].strip():
                fence = ""
            continue
        if mark:
            fence = mark.group(1)
            continue
        if heading := _ATX.match(line):
            level, title, end = len(heading.group(1)), heading.group(2) or "", number
        elif (under := _SETEXT.match(line)) and _is_title(lines, number - 1, begin):
            level, title, end = 1 if under.group(1)[0] == "=" else 2, lines[number - 1].strip(), number - 1
        else:
            continue
        yield from above(end)
        headings = [one for one in headings if one[0] < level] + ([(level, title)] if title else [])
        begin = number + 1
    yield from above(len(lines))


def code_blocks(text: str) -> Iterator[Block]:
    """A block for each stretch that begins at the left edge after an empty line, under its definition."""
    lines = text.split("\n")
    starts = [0] + [
        number
        for number in range(1, len(lines))
        if lines[number][:1].strip() and lines[number][0] not in ")]}" and not lines[number - 1].strip()
    ]
    for begin, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        block = "\n".join(lines[begin:end]).rstrip()
        if block.strip():
            yield Block(block, _definition(lines[begin:end]), line=begin + 1)


def _definition(lines: list[str]) -> tuple[str, ...]:
    for line in lines:
        if line[:1].strip() and _DEFINITION.match(line):
            return (line.rstrip().rstrip("{:").rstrip()[:_MAX_HEADING_CHARACTERS],)
    return ()


def _is_title(lines: list[str], number: int, begin: int) -> bool:
    """Whether a line that is underlined is a heading, and not the end of a paragraph or a table."""
    if number < begin or not lines[number].strip() or lines[number].startswith(("    ", "\t", "|", "-", ">")):
        return False
    return number == begin or not lines[number - 1].strip()


def _paragraphs(lines: list[str], first: int, *, keeps_fences: bool = False) -> Iterator[tuple[int, str]]:
    """Number of the first line, and text, of each run of lines that are not empty."""
    run: list[str] = []
    begin = first
    fence = ""
    for number, line in enumerate([*lines, ""], start=first):
        mark = _FENCE.match(line) if keeps_fences else None
        if mark and not fence:
            fence = mark.group(1)
        elif mark and mark.group(1).startswith(fence):
            fence = ""
        if line.strip() or (fence and run and number < first + len(lines)):
            if not run:
                begin = number
            run.append(line.rstrip())
        elif run:
            yield begin, "\n".join(run)
            run = []
