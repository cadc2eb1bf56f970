"""Reads the values of a large JSON file one by one.

An export of two gigabytes is one array of conversations; only the element that is being read is in memory.
Also understood: one value alone, and values one after the other (JSON Lines). An element that is no JSON
is reported and passed over: its end is found by its brackets, or is the end of its line.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

CHUNK_BYTES = 1 << 20
MAX_VALUE_CHARACTERS = 1 << 27
"""Of one element; a longer one is passed over. A conversation of 50 MB is far below."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""How a file in UTF-16 begins; in UTF-8 no text has a NUL."""
_SPACE = re.compile(r"[ \t\r\n]*")
_STRUCTURE = re.compile(r'["\[\]{}]')
_STRING_END = re.compile(r'["\\]')
_SCALAR_END = re.compile(r"[,\]\r\n]")
# NaN and Infinity are no JSON, but Python writes them.
_decoder = json.JSONDecoder(parse_constant=lambda _name: None)


class ByteSource(Protocol):
    """What can be read piece by piece."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Value:
    """An element.

    Attributes:
        index: 0, 1, 2, ... in the file.
    """

    index: int
    value: Any


@dataclass(frozen=True, slots=True)
class BadValue:
    """An element that cannot be read.

    Attributes:
        is_rest: Nothing of what follows can be read either.
    """

    index: int
    reason: str
    is_rest: bool = False


def values(source: ByteSource) -> Iterator[Value | BadValue]:
    """The elements of the array, or the values that stand one after the other.

    Args:
        source: Bytes in UTF-8, or in UTF-16 with a byte order mark; what is neither becomes U+FFFD.
    """
    yield from _Reader(source).values()


class _Reader:
    def __init__(self, source: ByteSource) -> None:
        self._source = source
        first = source.read(CHUNK_BYTES)
        encoding = "utf-8"
        for mark, name in _BOMS:
            if first.startswith(mark):
                first, encoding = first[len(mark) :], name
                break
        self._decode = codecs.getincrementaldecoder(encoding)("replace")
        self._text = self._decode.decode(first)
        self._at = 0
        self._is_at_end = not first
        self._is_array = False
        self._has_lines = False  # each value was a line so far

    def values(self) -> Iterator[Value | BadValue]:
        self._skip_space()
        is_array = self._is_array = self._peek() == "["
        if is_array:
            self._at += 1
        index = 0
        while True:
            self._skip_space()
            here = self._peek()
            if here == ",":
                self._at += 1
                continue
            if here == "" or (is_array and here == "]"):
                if is_array and here == "":
                    yield BadValue(index, "the file ends within its list", is_rest=True)
                return
            found = self._next(index)
            yield found
            if isinstance(found, BadValue) and found.is_rest:
                return
            index += 1

    def _next(self, index: int) -> Value | BadValue:
        """The value that begins here; afterwards the position is behind it."""
        try:
            value, end = _decoder.raw_decode(self._text, self._at)
            # A number at the end of what was read may go on in what was not.
            if end < len(self._text) or not isinstance(value, int | float):
                self._has_lines = not self._is_array and "\n" not in self._text[self._at : end]
                self._at = end
                return Value(index, value)
        except (ValueError, RecursionError):
            pass  # it may be unfinished: its end decides
        end, is_too_long, is_whole = self._find_line_end() if self._has_lines else self._find_end()
        if is_too_long:
            return BadValue(index, f"longer than {MAX_VALUE_CHARACTERS} characters", is_rest=not is_whole)
        text = self._text[self._at : end]
        self._at = end
        try:
            value = _decoder.decode(text)
            self._has_lines = not self._is_array and "\n" not in text
            return Value(index, value)
        except RecursionError:
            return BadValue(index, "nested too deeply")
        except ValueError as error:
            reason = str(error) if is_whole else f"the file ends within it: {error}"
            return BadValue(index, reason, is_rest=not is_whole)

    def _find_end(self) -> tuple[int, bool, bool]:
        """Where the value that begins here ends.

        Returns:
            The end; whether the value was too long and is gone; whether its end was found before the file's.
        """
        depth = 0
        at = self._at
        in_string = False
        is_too_long = False
        while True:
            pattern = _STRING_END if in_string else _STRUCTURE if depth else self._first(at)
            match = pattern.search(self._text, at)
            if match is None or (match.group() == "\\" and match.end() == len(self._text)):
                at = len(self._text) if match is None else match.start()
                if at - self._at > MAX_VALUE_CHARACTERS:
                    is_too_long = True
                if is_too_long:
                    self._at = at
                kept = at - self._at
                if not self._read_more():
                    if is_too_long:
                        self._at = len(self._text)
                    return len(self._text), is_too_long, False
                at = self._at + kept
                continue
            character = match.group()
            at = match.end()
            if in_string:
                if character == "\\":
                    at += 1
                else:
                    in_string = False
            elif character == '"':
                in_string = True
            elif character in "[{":
                depth += 1
            elif depth:
                depth -= 1
            else:  # the end of something that is neither text nor brackets
                return (match.start() if match.start() > self._at else at), is_too_long, True
            if depth == 0 and not in_string:
                if is_too_long:
                    self._at = at
                return at, is_too_long, True

    def _find_line_end(self) -> tuple[int, bool, bool]:
        """As `_find_end`, where each value is a line."""
        is_too_long = False
        while True:
            end = self._text.find("\n", self._at)
            if end >= 0:
                if is_too_long:
                    self._at = end
                return end, is_too_long, True
            if len(self._text) - self._at > MAX_VALUE_CHARACTERS:
                is_too_long = True
            if is_too_long:
                self._at = len(self._text)
            if not self._read_more():
                return len(self._text), is_too_long, False

    def _first(self, at: int) -> re.Pattern[str]:
        begins = self._text[at : at + 1]
        return _STRUCTURE if begins in ('"', "{", "[") else _SCALAR_END

    def _peek(self) -> str:
        if self._at >= len(self._text):
            self._read_more()
        return self._text[self._at : self._at + 1]

    def _skip_space(self) -> None:
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None  # it matches nothing too
            self._at = match.end()
            if self._at < len(self._text) or not self._read_more():
                return

    def _read_more(self) -> bool:
        """Append the next piece and drop what has been read; False at the end of the file."""
        while not self._is_at_end:
            # As much again as is kept: a long value costs no more than twice its length to gather.
            data = self._source.read(max(CHUNK_BYTES, len(self._text) - self._at))
            self._is_at_end = not data
            text = self._decode.decode(data, final=self._is_at_end)
            if text:
                self._text = self._text[self._at :] + text
                self._at = 0
                return True
        return False
