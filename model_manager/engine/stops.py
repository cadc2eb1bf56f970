"""Stop strings: found across token borders, and never shown."""

from __future__ import annotations

from collections.abc import Sequence


def held_back(text: str, endings: Sequence[str]) -> int:
    """How many characters at the end of `text` could be the beginning of one of `endings`."""
    longest = max((len(ending) for ending in endings), default=0)
    for length in range(min(len(text), longest - 1), 0, -1):
        tail = text[-length:]
        if any(len(ending) > length and ending.startswith(tail) for ending in endings):
            return length
    return 0


class StopStrings:
    """Lets text through until one of the strings appears.

    Attributes:
        is_hit: One was found; nothing comes through any more.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = tuple(string for string in strings if string)
        self._held = ""
        self.is_hit = False

    def feed(self, text: str) -> str:
        """Add text; returns what certainly belongs to no stop string. It ends where the first one begins."""
        if self.is_hit:
            return ""
        if not self._strings:
            return text
        self._held += text
        found = [position for string in self._strings if (position := self._held.find(string)) >= 0]
        if found:
            shown, self._held = self._held[: min(found)], ""
            self.is_hit = True
            return shown
        keep = held_back(self._held, self._strings)
        shown = self._held[: len(self._held) - keep]
        self._held = self._held[len(shown) :]
        return shown

    def finish(self) -> str:
        """What was still held back when the text ended."""
        held, self._held = self._held, ""
        return held
