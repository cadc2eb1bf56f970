"""Markdown to runs of styled text: what to show, without how it looks and without Qt.

markdown-it-py does the parsing, with raw HTML switched off: `<b>` is three characters. Images are never
loaded; they become a link with their alternative text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ui.chat.blocks import Block
from ui.maths_syntax import add_maths

PieceKind = Literal["paragraph", "heading", "code", "maths", "table", "rule"]
Container = Literal["quote", "list"]
Align = Literal["left", "center", "right"]

_URL = re.compile(r"https?://[^\s<>\"'\\`|，。；：、（）《》「」“”‘’]+")
_TASK = re.compile(r"\[([ xX])\]\s+")
_NOT_LAST = ".,;:!?*_~'\""
_OPENABLE = ("http://", "https://", "mailto:")


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style.

    Attributes:
        maths: `text` is LaTeX; "display" asks for a line of its own.
        href: Target of a link that may be opened; None for no link.
    """

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    href: str | None = None
    maths: Literal["", "inline", "display"] = ""


@dataclass(frozen=True, slots=True)
class PieceSpec:
    """One thing to lay out.

    Attributes:
        text: Source of code or of a display formula.
        containers: Block quotes and lists it stands in, outermost first.
        marker: Bullet, number or box ("[ ]", "[x]") of a list item, for its first piece.
        level: Of a heading, 1 to 6.
        is_tight: No gap above, as in a tight list.
        rows: Cells of a table, the heading row first.
    """

    kind: PieceKind
    spans: tuple[Span, ...] = ()
    text: str = ""
    language: str = ""
    level: int = 0
    containers: tuple[Container, ...] = ()
    marker: str = ""
    is_tight: bool = False
    is_open: bool = False
    rows: tuple[tuple[tuple[Span, ...], ...], ...] = ()
    aligns: tuple[Align, ...] = ()


@dataclass(slots=True)
class _List:
    """A list or quote that is being walked."""

    container: Container
    marker: str = ""
    next_number: int | None = None
    delimiter: str = "."


@dataclass(slots=True)
class _Walk:
    specs: list[PieceSpec] = field(default_factory=list)
    stack: list[_List] = field(default_factory=list)


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    add_maths(parser)
    return parser


_parser = _make_parser()


def parse_block(block: Block, references: dict[str, Any] | None = None) -> list[PieceSpec]:
    """What one block shows.

    `references` are the link definitions of the text so far; those of this block are added.
    """
    if block.kind == "code":
        return [_fence_spec(block)]
    if block.kind == "maths":
        source = block.source.strip()[2:]
        source = source.removesuffix("$$").removesuffix("\\]").strip()
        return [PieceSpec("maths", text=source, is_open=block.is_open)] if source else []
    env: dict[str, Any] = {"references": references} if references is not None else {}
    walk = _Walk()
    _walk_tokens(_parser.parse(block.source, env), walk)
    return _renumbered(walk.specs, block)


def plain_spec(text: str) -> PieceSpec:
    """Text as it was typed, line ends kept, nothing interpreted but addresses."""
    return PieceSpec("paragraph", spans=tuple(_linked(Span(text))))


def is_openable(href: str) -> bool:
    """Whether a link may be given to the desktop."""
    return href.lower().startswith(_OPENABLE)


def _fence_spec(block: Block) -> PieceSpec:
    head, _, body = block.source.partition("\n")
    mark = head.lstrip()
    indent = len(head) - len(mark)
    language = mark.lstrip(mark[0]).strip().split(maxsplit=1)
    if not block.is_open:
        body = body.rpartition("\n")[0]
    if indent:
        body = "\n".join(_dedented(line, indent) for line in body.split("\n"))
    name = language[0].strip("{}").removeprefix(".") if language else ""
    return PieceSpec("code", text=body, language=name, is_open=block.is_open)


def _dedented(line: str, indent: int) -> str:
    return line[min(indent, len(line) - len(line.lstrip(" "))) :]


def _renumbered(specs: list[PieceSpec], block: Block) -> list[PieceSpec]:
    """Give an item that was parsed alone its number in the whole list, and its place close to it."""
    if block.ordinal is not None and specs and specs[0].marker:
        specs[0] = replace(specs[0], marker=f"{block.ordinal}{specs[0].marker.lstrip('0123456789')}")
    return specs


def _walk_tokens(tokens: Sequence[Token], walk: _Walk) -> None:
    position = 0
    while position < len(tokens):
        token = tokens[position]
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                number = int(token.attrGet("start") or 1) if token.type[0] == "o" else None
                if token.type[0] == "o" and token.attrGet("start") == 0:
                    number = 0
                walk.stack.append(_List("list", next_number=number))
            case "blockquote_open":
                walk.stack.append(_List("quote"))
            case "bullet_list_close" | "ordered_list_close" | "blockquote_close":
                walk.stack.pop()
            case "list_item_open":
                _open_item(walk.stack[-1], token)
            case "list_item_close":
                if walk.stack[-1].marker:
                    _add(walk, PieceSpec("paragraph", is_tight=True))
            case "heading_open":
                _add_text(walk, tokens[position + 1], "heading", level=int(token.tag[1]))
                position += 2
            case "paragraph_open":
                _add_text(walk, tokens[position + 1], "paragraph", is_tight=token.hidden)
                position += 2
            case "fence":
                words = token.info.split(maxsplit=1)
                _add(
                    walk,
                    PieceSpec(
                        "code", text=token.content.removesuffix("\n"), language=words[0] if words else ""
                    ),
                )
            case "code_block":
                _add(walk, PieceSpec("code", text=token.content.removesuffix("\n")))
            case "math_block":
                _add(walk, PieceSpec("maths", text=token.content.strip()))
            case "hr":
                _add(walk, PieceSpec("rule"))
            case "table_open":
                position = _add_table(walk, tokens, position)
        position += 1


def _open_item(parent: _List, token: Token) -> None:
    if parent.next_number is None:
        parent.marker = "•"
    else:
        parent.marker = f"{parent.next_number}{token.markup or '.'}"
        parent.next_number += 1


def _add(walk: _Walk, spec: PieceSpec) -> None:
    marker = ""
    if walk.stack and walk.stack[-1].marker:
        marker, walk.stack[-1].marker = walk.stack[-1].marker, ""
        if not spec.marker.startswith("["):
            spec = replace(spec, marker=marker)
    # The markers of outer items that have shown nothing yet (`- - x`) belong to this piece no more.
    for outer in walk.stack[:-1]:
        outer.marker = ""
    walk.specs.append(replace(spec, containers=tuple(level.container for level in walk.stack)))


def _add_text(walk: _Walk, inline: Token, kind: PieceKind, *, level: int = 0, is_tight: bool = False) -> None:
    """A paragraph or heading; display formulas in its middle become pieces of their own."""
    spans = list(_spans(inline.children or ()))
    marker = ""
    if walk.stack and walk.stack[-1].marker and spans and (task := _TASK.match(spans[0].text)):
        marker = "[ ]" if task[1] == " " else "[x]"
        spans[0] = replace(spans[0], text=spans[0].text[task.end() :])
    run: list[Span] = []
    for span in spans:
        if span.maths != "display":
            run.append(span)
            continue
        if "".join(part.text for part in run).strip():
            _add(walk, PieceSpec(kind, _trimmed(run), level=level, marker=marker, is_tight=is_tight))
            marker = ""
        run = []
        _add(walk, PieceSpec("maths", text=span.text.strip(), is_tight=True, marker=marker))
        marker = ""
    if "".join(part.text for part in run).strip() or marker:
        _add(walk, PieceSpec(kind, _trimmed(run), level=level, marker=marker, is_tight=is_tight))


def _trimmed(run: list[Span]) -> tuple[Span, ...]:
    """A run without line ends at its edges, which a formula beside it has made superfluous."""
    run = [span for span in run if span.text]
    if run and not run[0].code:
        run[0] = replace(run[0], text=run[0].text.lstrip("\n "))
    if run and not run[-1].code:
        run[-1] = replace(run[-1], text=run[-1].text.rstrip("\n "))
    return tuple(span for span in run if span.text)


def _add_table(walk: _Walk, tokens: Sequence[Token], position: int) -> int:
    rows: list[tuple[tuple[Span, ...], ...]] = []
    cells: list[tuple[Span, ...]] = []
    aligns: list[Align] = []
    while tokens[position].type != "table_close":
        token = tokens[position]
        if token.type in ("th_open", "td_open"):
            cells.append(tuple(_spans(tokens[position + 1].children or ())))
            if token.type == "th_open":
                style = str(token.attrGet("style") or "")
                aligns.append("right" if "right" in style else "center" if "center" in style else "left")
        elif token.type == "tr_close":
            rows.append(tuple(cells))
            cells = []
        position += 1
    _add(walk, PieceSpec("table", rows=tuple(rows), aligns=tuple(aligns)))
    return position


def _spans(tokens: Sequence[Token]) -> Iterator[Span]:
    style = Span("")
    for token in tokens:
        match token.type:
            case "text" | "text_special":
                if style.href is None:
                    yield from _linked(replace(style, text=token.content))
                else:
                    yield replace(style, text=token.content)
            case "code_inline":
                yield replace(style, text=token.content, code=True)
            case "softbreak" | "hardbreak":
                yield replace(style, text="\n")
            case "math_inline":
                yield replace(style, text=token.content.strip(), maths="inline")
            case "math_inline_double":
                yield replace(style, text=token.content.strip(), maths="display")
            case "strong_open" | "strong_close":
                style = replace(style, bold=token.nesting == 1)
            case "em_open" | "em_close":
                style = replace(style, italic=token.nesting == 1)
            case "s_open" | "s_close":
                style = replace(style, strike=token.nesting == 1)
            case "link_open":
                href = str(token.attrGet("href") or "")
                style = replace(style, href=href if is_openable(href) else None)
            case "link_close":
                style = replace(style, href=None)
            case "image":
                yield _image(token, style)
            case _:
                if token.content:
                    yield replace(style, text=token.content)


def _image(token: Token, style: Span) -> Span:
    source = str(token.attrGet("src") or "")
    href = source if is_openable(source) else style.href
    return replace(style, text=f"▣ {token.content or source}", href=href)


def _linked(span: Span) -> Iterator[Span]:
    """Split at bare addresses, which become links."""
    position = 0
    for match in _URL.finditer(span.text) if "://" in span.text else ():
        url = match[0].rstrip(_NOT_LAST)
        while url.endswith(")") and url.count(")") > url.count("("):
            url = url[:-1].rstrip(_NOT_LAST)
        if match.start() > position:
            yield replace(span, text=span.text[position : match.start()])
        yield replace(span, text=url, href=url)
        position = match.start() + len(url)
    if position < len(span.text):
        yield replace(span, text=span.text[position:])
