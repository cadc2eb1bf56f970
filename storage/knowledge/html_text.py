"""HTML as blocks: what a reader sees, under its headings; nothing is run or fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from storage.knowledge.encodings import decoded
from storage.knowledge.records import Block

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_-]+)""", re.IGNORECASE)
_CHARSET_WITHIN_BYTES = 4096
_UNSEEN = {"script", "style", "template", "noscript", "svg", "math", "object", "iframe", "select"}
_BREAKS = {
    *("address", "article", "aside", "blockquote", "dd", "div", "dl", "dt", "fieldset", "figcaption"),
    *("figure", "footer", "form", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul"),
    *("body", "details", "summary", "caption"),
}
_LINES = {"br", "li", "tr"}
_HEADING = re.compile(r"h([1-6])$")
_SPACE = re.compile(r"\s+")


def decoded_page(data: bytes) -> str | None:
    """The page as text, by the encoding that it names; None for a file that is no text."""
    if (named := _CHARSET.search(data[:_CHARSET_WITHIN_BYTES])) and b"\0" not in data[:_CHARSET_WITHIN_BYTES]:
        try:
            return data.decode(named.group(1).decode("ascii"), "replace")
        except (LookupError, UnicodeError):  # none of that name, or one that is for host names
            pass
    return decoded(data)


def html_blocks(page: str) -> tuple[str, list[Block]]:
    """The title, "" for none, and the blocks."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    reader.end_block()
    return _SPACE.sub(" ", reader.title).strip(), reader.blocks


class _Reader(HTMLParser):
    """Collects text; a page without end tags, or with too many, is a page as well."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.title = ""
        self._headings: list[tuple[int, str]] = []
        self._pieces: list[str] = []
        self._line = 1
        self._unseen: str | None = None
        self._unseen_depth = 0
        self._in_title = False
        self._in_pre = False
        self._heading: int | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if self._unseen is not None:
            self._unseen_depth += tag == self._unseen
        elif tag in _UNSEEN:
            self._unseen, self._unseen_depth = tag, 1
        elif tag == "title":
            self._in_title = True
        elif match := _HEADING.match(tag):
            self.end_block()
            self._heading = int(match.group(1))
        elif tag in _BREAKS:
            self.end_block()
            self._in_pre = self._in_pre or tag == "pre"
        elif tag in _LINES:
            self._pieces.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self._pieces.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        if self._unseen is not None:
            self._unseen_depth -= tag == self._unseen
            if self._unseen_depth == 0:
                self._unseen = None
        elif tag == "title":
            self._in_title = False
        elif _HEADING.match(tag) or tag in _BREAKS:
            self.end_block()
            self._in_pre = self._in_pre and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._unseen is None:
            if not self._pieces:
                self._line = self.getpos()[0] + len(data[: len(data) - len(data.lstrip())].split("\n")) - 1
            self._pieces.append(data if self._in_pre else _SPACE.sub(" ", data))

    def end_block(self) -> None:
        """What was collected becomes a block, or the heading that was open."""
        raw = "".join(self._pieces)
        self._pieces = []
        level, self._heading = self._heading, None
        if self._in_pre:
            text = raw.strip("\n")
        else:
            # The bar before the first cell of a row says nothing.
            lines = (" ".join(line.split()).removeprefix("| ") for line in raw.split("\n"))
            text = "\n".join(line for line in lines if line not in ("", "-"))
        if not text.strip():
            return
        if level is not None:
            title = _SPACE.sub(" ", text).strip()
            self._headings = [one for one in self._headings if one[0] < level] + [(level, title)]
            return
        self.blocks.append(Block(text, tuple(title for _, title in self._headings), line=self._line))
