"""Word documents (.docx) as blocks: a zip with XML, of which three parts are read.

A reader of our own: the text, its headings and tables are all that is wanted, which is a page of code over
`zipfile` and `expat`. Hostile files: a part is read up to a limit of its own, whatever the zip says of its
size; a document type declaration, where entities come from, is refused; nothing is unpacked to disk.
Source: ECMA-376, Part 1, 17 (WordprocessingML).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from typing import Final
from xml.parsers import expat

from storage.knowledge.records import Block
from storage.knowledge.unreadable import Unreadable

MAX_PART_BYTES: Final = 64 * 1024 * 1024
_WORD: Final = (
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main ",
    "http://purl.oclc.org/ooxml/wordprocessingml/main ",
)
_FALLBACK: Final = "http://schemas.openxmlformats.org/markup-compatibility/2006 Fallback"
_TITLE: Final = "http://purl.org/dc/elements/1.1/ title"
_HEADING: Final = re.compile(r"heading (\d)", re.IGNORECASE)
_N_LEVELS: Final = 9

_Start = Callable[[str, dict[str, str]], None]
_Named = Callable[[str], None]


def docx_blocks(data: bytes) -> tuple[str, list[Block]]:
    """The title, "" for none, and the blocks.

    Raises:
        Unreadable: It is damaged, encrypted, or far larger than it looks.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            body = _part(archive, "word/document.xml")
            if body is None:
                raise Unreadable("broken", "no word/document.xml")
            styles = _part(archive, "word/styles.xml")
            core = _part(archive, "docProps/core.xml")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise Unreadable("broken", str(error)) from error
    reader = _Body(_levels(styles) if styles else {})
    _parse(body, reader.start, reader.end, reader.text)
    title = _Title()
    if core:
        _parse(core, title.start, title.end, title.text)
    return " ".join(title.found.split()), reader.blocks


def _part(archive: zipfile.ZipFile, name: str) -> bytes | None:
    try:
        info = archive.getinfo(name)
    except KeyError:
        return None
    if info.flag_bits & 1:
        raise Unreadable("encrypted", name)
    with archive.open(info) as file:
        data = file.read(MAX_PART_BYTES + 1)
    if len(data) > MAX_PART_BYTES:
        raise Unreadable("too_large", f"{name}: over {MAX_PART_BYTES} bytes")
    return data


def _parse(xml: bytes, start: _Start, end: _Named | None = None, text: _Named | None = None) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise Unreadable("broken", str(error)) from error


def _refuse_doctype(*_declaration: object) -> None:
    raise Unreadable("broken", "a document type declaration")


def _local(name: str) -> str:
    """The name of an element of a word-processing document; "" for one of another language."""
    for namespace in _WORD:
        if name.startswith(namespace):
            return name[len(namespace) :]
    return ""


def _value(attributes: dict[str, str]) -> str:
    return next((value for name, value in attributes.items() if _local(name) == "val"), "")


def _levels(styles: bytes) -> dict[str, int]:
    """The level of each style that is a heading, by its id, which is in the language of the writer."""
    levels: dict[str, int] = {}
    current = ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal current
        match _local(name):
            case "style":
                current = next((value for key, value in attributes.items() if _local(key) == "styleId"), "")
            case "name" if heading := _HEADING.match(_value(attributes)):
                levels.setdefault(current, int(heading.group(1)))
            case "name" if _value(attributes).lower() == "title":
                levels.setdefault(current, 1)
            case "outlineLvl" if current:
                _set_level(levels, current, _value(attributes))

    _parse(styles, start)
    return levels


def _set_level(levels: dict[str, int], style: str, value: str) -> None:
    if value.isdecimal() and int(value) < _N_LEVELS:
        levels.setdefault(style, int(value) + 1)


class _Body:
    """Collects the paragraphs of `word/document.xml`. A table is a block, a line of it a row."""

    def __init__(self, levels: dict[str, int]) -> None:
        self.blocks: list[Block] = []
        self._levels = levels
        self._headings: list[tuple[int, str]] = []
        self._pieces: list[str] = []
        self._level: int | None = None
        self._in_text = False
        self._n_fallbacks = 0
        self._n_tables = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == _FALLBACK:
            self._n_fallbacks += 1  # says again what a newer element has said
        match _local(name):
            case "t":
                self._in_text = self._n_fallbacks == 0
            case "tab":
                self._pieces.append("\t")
            case "br" | "cr":
                self._pieces.append("\n")
            case "pStyle":
                self._level = self._levels.get(_value(attributes))
            case "outlineLvl" if self._level is None and _value(attributes) in "012345678":
                self._level = int(_value(attributes) or 0) + 1
            case "tbl":
                self._end_block()
                self._n_tables += 1

    def end(self, name: str) -> None:
        if name == _FALLBACK:
            self._n_fallbacks -= 1
        match _local(name):
            case "t":
                self._in_text = False
            case "p":
                self._pieces.append(" ")
                if self._n_tables == 0:
                    self._end_block()
            case "tc":
                self._pieces.append(" | ")
            case "tr":
                self._pieces.append("\n")
            case "tbl":
                self._n_tables -= 1
                if self._n_tables == 0:
                    self._level = None
                    self._end_block()

    def text(self, text: str) -> None:
        if self._in_text:
            self._pieces.append(text)

    def _end_block(self) -> None:
        raw = "".join(self._pieces).split("\n")
        lines = (" ".join(line.split()).removesuffix("|").rstrip() for line in raw)
        text = "\n".join(line for line in lines if line)
        level, self._level, self._pieces = self._level, None, []
        if not text:
            return
        if level is not None:
            title = text.replace("\n", " ")
            self._headings = [one for one in self._headings if one[0] < level] + [(level, title)]
        else:
            self.blocks.append(Block(text, tuple(title for _, title in self._headings)))


class _Title:
    """Finds the title in `docProps/core.xml`."""

    def __init__(self) -> None:
        self.found = ""
        self._is_inside = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._is_inside = name == _TITLE

    def end(self, _name: str) -> None:
        self._is_inside = False

    def text(self, text: str) -> None:
        if self._is_inside:
            self.found += text
