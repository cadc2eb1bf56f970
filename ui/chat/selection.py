"""What the reader has selected, across blocks and messages."""

from __future__ import annotations

from dataclasses import dataclass

from ui.chat.message_item import ItemSpot
from ui.chat.scene import Scene


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the transcript, ordered as it is read."""

    item: int
    spot: ItemSpot


START: ItemSpot = (0, 0, 0, 0)
END: ItemSpot = (9, 0, 0, 0)


class Selection:
    """Two positions; what lies between them is selected.

    Attributes:
        anchor: Where selecting began; None while nothing is selected. With a word or a block it covers both
            of its ends, so that dragging on keeps it whole.
        head: Where it goes to.
    """

    def __init__(self) -> None:
        self.anchor: tuple[Position, Position] | None = None
        self.head: tuple[Position, Position] | None = None

    def clear(self) -> None:
        """Select nothing."""
        self.anchor = self.head = None

    def begin(self, first: Position, last: Position) -> None:
        """Start at a place, a word or a block."""
        self.anchor = self.head = (first, last)

    def extend(self, first: Position, last: Position) -> None:
        """Go on to a place, a word or a block."""
        if self.anchor is None:
            self.begin(first, last)
        else:
            self.head = (first, last)

    def shift(self, n_items: int) -> None:
        """So many messages have come before the first one: what is selected stays selected."""
        self.anchor, self.head = _shifted(self.anchor, n_items), _shifted(self.head, n_items)

    def select_all(self, scene: Scene) -> None:
        """Select every message."""
        if scene.items:
            self.anchor = (Position(0, START),) * 2
            self.head = (Position(len(scene.items) - 1, END),) * 2

    @property
    def range(self) -> tuple[Position, Position] | None:
        """First and last position; None where nothing is selected."""
        if self.anchor is None or self.head is None:
            return None
        first, last = min(self.anchor[0], self.head[0]), max(self.anchor[1], self.head[1])
        return (first, last) if first < last else None

    def in_item(self, number: int) -> tuple[ItemSpot | None, ItemSpot | None] | None:
        """What of one message is selected; None for nothing, an end of None for the message's own."""
        chosen = self.range
        if chosen is None or not chosen[0].item <= number <= chosen[1].item:
            return None
        first = chosen[0].spot if number == chosen[0].item else None
        last = chosen[1].spot if number == chosen[1].item else None
        return first, last

    def text(self, scene: Scene) -> str:
        """Markdown of whole blocks and plain text of parts, a blank line between messages."""
        chosen = self.range
        if chosen is None:
            return ""
        parts = []
        for number in range(chosen[0].item, min(chosen[1].item, len(scene.items) - 1) + 1):
            part = self.in_item(number)
            if part is not None and scene.items[number].message.role != "system":
                parts.append(scene.items[number].copy(*part))
        return "\n\n".join(part for part in parts if part)


def _shifted(ends: tuple[Position, Position] | None, n_items: int) -> tuple[Position, Position] | None:
    if ends is None:
        return None
    first, last = (Position(end.item + n_items, end.spot) for end in ends)
    return first, last
