r"""What a template sees in place of texts that others wrote.

A template that writes JSON escapes what it writes; a stand-in counts how often it went through that, so that
its text can be escaped as often when it takes its place again:

    tool.description   -> "<stand-in 3>"      -> {"description": "<stand-in 3, once in JSON>"}
    the prompt                                -> {"description": "Says \"hello\""}
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from model_manager.errors import TemplateFailed
from model_manager.types import ChatMessage

# Characters of the supplementary private use area: they have no case, are not whitespace, and survive JSON.
BEGIN: Final = "\U000f5e1a"
_END: Final = "\U000f5e1b"
_IN_JSON: Final = "\U000f5e1c"

_HARMLESS: Final = re.compile(r"[A-Za-z0-9_ .,:/+-]*")
"""Texts that no vocabulary has a marker in; templates look at such ones (`"string"`, names, formats)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt.

    Attributes:
        is_trusted: It comes from the template, so markers in it are markers; else they are mere text.
        image: The bytes of an image that stands here in place of a text.
    """

    text: str
    is_trusted: bool
    image: bytes | None = None


def marked_as_json(text: str) -> str:
    """JSON that a template has written: the stand-ins in it are now a level deeper."""
    return text.replace(BEGIN, BEGIN + _IN_JSON)


class StandIns:
    """Texts on one side, what a template sees of them on the other."""

    def __init__(self) -> None:
        # Unguessable, so that no template can have it in its own text.
        self._nonce = str(secrets.randbits(64))
        self._pattern = re.compile(f"{BEGIN}({_IN_JSON}*){self._nonce}:([0-9]+){_END}")
        self._texts: list[str] = []
        self._trusted: set[int] = set()
        self._images: dict[int, bytes] = {}

    @property
    def last(self) -> int:
        """The number of the stand-in that was made last."""
        return len(self._texts) - 1

    def add(self, text: str) -> str:
        """What a template sees of a text: its outer whitespace, because many trim it, and a stand-in."""
        core = text.strip()
        self._texts.append(core)
        if not core:
            return text
        start = text.index(core)
        return f"{text[:start]}{self._stand_in(self.last)}{text[start + len(core) :]}"

    def add_marker(self, text: str) -> str:
        """The same for a text of ours, in which markers are markers."""
        self._texts.append(text)
        self._trusted.add(self.last)
        return self._stand_in(self.last)

    def add_value(self, value: Any) -> Any:
        """A JSON value with stand-ins for all texts in it that could hold a marker."""
        if isinstance(value, str):
            return value if _HARMLESS.fullmatch(value) else self.add(value)
        if isinstance(value, dict):
            return {self.add_value(str(key)): self.add_value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.add_value(item) for item in value]
        return value

    def add_content(self, message: ChatMessage) -> tuple[str, list[int]]:
        """A message's text with its images in their places, and the numbers of what is not blank."""
        pieces: list[str] = []
        numbers: list[int] = []
        start = 0
        for end, image in [*((i.offset, i.data) for i in message.images), (len(message.content), None)]:
            text = message.content[start:end]
            pieces.append(self.add(text))
            if text.strip():
                numbers.append(self.last)
            if image is not None:
                self._texts.append("")
                self._images[self.last] = image
                numbers.append(self.last)
                pieces.append(self._stand_in(self.last))
            start = end
        return "".join(pieces), numbers

    def used(self, text: str) -> list[int]:
        """The numbers of all stand-ins in a rendered text, in their order."""
        return [int(match[2]) for match in self._pattern.finditer(text)]

    def replace(self, text: str) -> tuple[Segment, ...]:
        """Cut rendered text into segments.

        Raises:
            TemplateFailed: A stand-in was cut, so that part of it is left.
        """
        segments: list[Segment] = []
        # With two groups in the pattern, `split` gives text, levels, number, text, ...
        pieces = self._pattern.split(text)
        for position in range(0, len(pieces), 3):
            if position:
                segments.append(self._segment(int(pieces[position - 1]), len(pieces[position - 2])))
            if self._nonce in pieces[position]:
                raise TemplateFailed("the template cuts a message's text into pieces")
            if pieces[position]:
                segments.append(Segment(pieces[position], is_trusted=True))
        return tuple(segments)

    def _segment(self, number: int, json_levels: int) -> Segment:
        text = self._texts[number]
        for _ in range(json_levels):
            text = json.dumps(text, ensure_ascii=False)[1:-1]
        return Segment(text, is_trusted=number in self._trusted, image=self._images.get(number))

    def _stand_in(self, number: int) -> str:
        return f"{BEGIN}{self._nonce}:{number}{_END}"
