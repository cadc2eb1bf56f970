"""Cuts growing Markdown into blocks, so that a closed block is never looked at again.

The scanner walks complete lines once and keeps a little state; the line that is still arriving is walked
from a copy of that state, so its verdict can change. A cut is made only where the parse of what stands
before cannot depend on what comes after (CommonMark's rules for what ends a block); in doubt lines stay
together. A paragraph without an end is cut by its length, so that no block grows without bounds.
Source: https://spec.commonmark.org/0.31.2/ sections 4 and 5
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

BlockKind = Literal["text", "code", "maths", "item"]
_Context = Literal["none", "paragraph", "table", "quote", "item", "indented", "fence", "maths"]

# A paragraph is cut at the first line end after SOFT characters, a line at the first space after
# LINE_SOFT, and at LINE_HARD where there is no space: about what one frame can parse and lay out.
SOFT_LIMIT = 4_096
LINE_SOFT_LIMIT = 4_096
LINE_HARD_LIMIT = 6_144
_CONTAINER_LIMIT = 65_536

_FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_UNDERLINE = re.compile(r"(?:-+|=+)[ \t]*$")
_MARKER = re.compile(r"([-+*]|(\d{1,9})([.)]))([ \t]+|$)")
_DELIMITER_ROW = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of source that is parsed alone.

    Attributes:
        kind: "text" for all that markdown-it decides; an "item" is one item of a top-level list.
        start: Offset of `source` in the whole text, in characters.
        ordinal: Number of an item of an ordered list; None for others.
        continues: Cut off from the block before by length or inside a list: no gap between them.
        is_open: Code whose closing fence has not come; more may still arrive.
    """

    kind: BlockKind
    source: str
    start: int
    ordinal: int | None = None
    continues: bool = False
    is_open: bool = False


@dataclass(slots=True)
class _State:
    context: _Context = "none"
    start: int = 0
    is_blank: bool = False
    fence: str = ""
    closer: str = ""
    item_indent: int = 0
    item_type: str = ""
    ordinal: int | None = None
    continues: bool = False


class BlockSplitter:
    """Keeps the blocks of one text up to date while the text grows.

    Attributes:
        blocks: All blocks of the text so far; those before `n_closed` stay what they are.
        n_closed: How many blocks can no longer change while the text only grows.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.n_closed = 0
        self._text = ""
        self._state = _State()
        self._position = 0

    def update(self, text: str) -> int:
        """Take the whole text; returns the index of the first block that may have changed."""
        if not text.startswith(self._text):
            self.__init__()  # type: ignore[misc]  # starting over is exactly what a fresh object is
        self._text = text
        first = self.n_closed
        del self.blocks[first:]
        while (end := text.find("\n", self._position)) >= 0:
            self._feed(self._position, end)
            self._position = end + 1
        self.n_closed = len(self.blocks)
        kept = replace(self._state)
        if self._position < len(text):
            self._feed(self._position, len(text))
        self._close(len(text), is_open=True)
        self._state = kept
        return first

    def _feed(self, start: int, end: int) -> None:
        """Walk the line of `text[start:end]`, without its line end."""
        state, line = self._state, self._text[start : min(end, start + 512)]
        stripped = line.lstrip(" \t")
        indent = _width(line[: len(line) - len(stripped)])
        stripped = stripped.rstrip()
        if state.context == "fence":
            if indent <= 3 and stripped.startswith(state.fence) and not stripped.strip(state.fence[0]):
                self._close(end)
        elif state.context == "maths":
            if not stripped:
                self._close(start)
            elif self._text[start:end].rstrip().endswith(state.closer):
                self._close(end)
        elif not stripped and not self._text[start:end].strip():
            if state.context in ("item", "indented"):
                state.is_blank = True
            elif state.context != "none":
                self._close(start)
        else:
            self._feed_words(start, end, stripped, indent)
            state.is_blank = False

    def _feed_words(self, start: int, end: int, stripped: str, indent: int) -> None:
        state = self._state
        if state.context == "none" or self._is_cut(start, stripped, indent):
            self._begin(start, end, stripped, indent)
        elif state.context == "paragraph":
            if _UNDERLINE.match(stripped) and indent <= 3:
                self._close(end)
                return
            if "|" in self._text[state.start : start] and _DELIMITER_ROW.match(stripped):
                state.context = "table"
            elif start - state.start >= SOFT_LIMIT:
                self._close(start)
                self._state.continues = True
                self._begin(start, end, stripped, indent)
        if self._state.context == "paragraph":
            self._cut_long_line(end)

    def _is_cut(self, start: int, stripped: str, indent: int) -> bool:
        """Whether this line can only begin a new block."""
        state = self._state
        if start - state.start >= _CONTAINER_LIMIT:
            return True
        if state.context == "indented":
            return indent < 4
        if state.context == "item" and indent >= state.item_indent:
            return False
        if indent >= 4:
            return False
        if state.context == "quote" and stripped.startswith(">"):
            return False
        marker = _MARKER.match(stripped)
        if marker and not _RULE.match(stripped):
            if state.context == "item" and (state.is_blank or _list_type(marker) == state.item_type):
                return True
            return bool(marker[4]) and len(stripped) > marker.end() and marker[2] in (None, "1")
        if state.context == "paragraph" and _UNDERLINE.match(stripped):
            return False
        if state.context == "item" and state.is_blank:
            return True
        return _starts_block(stripped)

    def _begin(self, start: int, end: int, stripped: str, indent: int) -> None:
        previous = replace(self._state)
        if previous.context != "none":
            self._close(start)
        state = self._state
        state.start = start
        if indent >= 4:
            state.context = "indented"
        elif fence := _FENCE.match(stripped):
            state.context, state.fence = "fence", fence[1] or fence[2]
        elif stripped.startswith(("$$", "\\[")):
            self._begin_maths(start, end, stripped)
        elif _HEADING.match(stripped) or _RULE.match(stripped):
            state.context = "paragraph"
            self._close(end)
        elif stripped.startswith(">"):
            state.context = "quote"
        elif marker := _MARKER.match(stripped):
            self._begin_item(previous, marker, stripped, indent)
        else:
            state.context = "paragraph"

    def _begin_maths(self, start: int, end: int, stripped: str) -> None:
        state = self._state
        state.context, state.closer = "maths", "$$" if stripped.startswith("$$") else "\\]"
        rest = self._text[start:end].strip()[2:]
        if rest.endswith(state.closer):
            self._close(end)
        elif state.closer in rest:
            # `$$x$$ and words`: a paragraph with a formula in it.
            state.context = "paragraph"

    def _begin_item(self, previous: _State, marker: re.Match[str], stripped: str, indent: int) -> None:
        state = self._state
        state.context, state.item_type = "item", _list_type(marker)
        is_sibling = previous.context == "item" and previous.item_type == state.item_type
        state.continues = is_sibling
        if marker[2] is not None:
            is_next = is_sibling and previous.ordinal is not None
            state.ordinal = (previous.ordinal or 0) + 1 if is_next else int(marker[2])
        spaces = _width(marker[4]) if len(stripped) > marker.end() else 1
        state.item_indent = indent + len(marker[1]) + (spaces if spaces <= 4 else 1)

    def _cut_long_line(self, end: int) -> None:
        """Cut a line that no reader would call a paragraph any more."""
        while end - self._state.start > LINE_SOFT_LIMIT:
            limit = self._state.start + LINE_HARD_LIMIT
            cut = self._text.find(" ", self._state.start + LINE_SOFT_LIMIT, min(end, limit))
            if cut < 0:
                if end < limit:
                    return
                cut = limit - 1
            self._close(cut + 1)
            self._state = _State(context="paragraph", start=cut + 1, continues=True)

    def _close(self, end: int, *, is_open: bool = False) -> None:
        """End the running block before `end`, and wait for the next."""
        state = self._state
        if state.context != "none":
            source = self._text[state.start : end].rstrip("\n")
            kind: BlockKind = "text"
            if state.context == "fence":
                kind = "code"
            elif state.context == "item":
                kind = "item"
            elif state.context == "maths" and (is_open or source.rstrip().endswith(state.closer)):
                kind = "maths"
            still_open = is_open and kind in ("code", "maths")
            self.blocks.append(Block(kind, source, state.start, state.ordinal, state.continues, still_open))
        self._state = _State()


def split(text: str) -> list[Block]:
    """The blocks of a whole text."""
    splitter = BlockSplitter()
    splitter.update(text)
    return splitter.blocks


def _width(blank: str) -> int:
    """Columns of leading white space; a tab goes to the next multiple of four."""
    return len(blank.expandtabs(4))


def _list_type(marker: re.Match[str]) -> str:
    """What two items must share to be of one list: the bullet, or the sign after the number."""
    return marker[3] or marker[1]


def _starts_block(stripped: str) -> bool:
    return bool(
        stripped.startswith((">", "$$", "\\["))
        or _FENCE.match(stripped)
        or _HEADING.match(stripped)
        or _RULE.match(stripped)
    )
