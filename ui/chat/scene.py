"""All messages as one tall sheet, of which only what is near the viewport is laid out.

Heights of the rest are estimates; whenever one turns out different, the place that the reader looks at stays
where it is (`Anchor`) and the scroll bar changes instead.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from storage.records import Message
from ui.chat.message_item import MessageItem
from ui.chat.style import Style
from ui.chat.workshop import Workshop
from ui.knowledge.values import CitedPassage

_SETTLE_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Anchor:
    """What stands at the top of the viewport, whatever changes above it.

    Attributes:
        item: Number of the message.
        section: As `MessageItem.mark` gives it; likewise `block`.
        below: Pixels from the top of that thing to the top of the viewport.
    """

    item: int = 0
    section: int = -1
    block: int = 0
    below: float = 0.0


class Scene:
    """The messages and where they stand. No widget; all on the Qt thread.

    Attributes:
        height: Of everything, estimated where nothing was seen.
    """

    def __init__(self, style: Style, workshop: Workshop) -> None:
        self.items: list[MessageItem] = []
        self.height = 0.0
        self._style = style
        self._workshop = workshop
        self._width = 0.0
        self._tops: list[float] = []
        self._numbers: dict[int, int] = {}
        self._shown: set[int] = set()
        self._sources: dict[int, tuple[CitedPassage, ...]] = {}

    @property
    def shown(self) -> Sequence[int]:
        """Numbers of the messages that are laid out."""
        return sorted(self._shown)

    def set_messages(self, messages: Sequence[Message]) -> None:
        """Show other messages; those of the same id and content keep their layout."""
        old = {item.message.id: item for item in self.items}
        self._shown.clear()
        self.items = []
        for message in messages:
            item = old.pop(message.id, None)
            if item is None:
                item = self._make(message)
            elif item.message != message:
                item.take(message)
            self.items.append(item)
        for item in old.values():
            item.release()
        self._numbers = {item.message.id: number for number, item in enumerate(self.items)}
        self._shown = {number for number, item in enumerate(self.items) if item.columns}
        self.place()

    def add(self, message: Message) -> MessageItem:
        """Put a message at the end."""
        item = self._make(message)
        self._numbers[message.id] = len(self.items)
        self.items.append(item)
        self._tops.append(self.height)
        self.height += item.height
        return item

    def prepend(self, messages: Sequence[Message]) -> None:
        """Put older messages above the first one; the numbers of all others grow by as many."""
        self.items[:0] = [self._make(message) for message in messages]
        self._numbers = {item.message.id: number for number, item in enumerate(self.items)}
        self._shown = {number + len(messages) for number in self._shown}
        self.place()

    def _make(self, message: Message) -> MessageItem:
        item = MessageItem(message, self._style, self._workshop)
        item.sources = self._sources_of(message)
        item.set_width(self._width)
        return item

    def set_sources(self, sources: Mapping[int, tuple[CitedPassage, ...]]) -> None:
        """Passages that questions were sent with, by the question; those known before stay."""
        self._sources |= sources
        for item in self.items:
            found = self._sources_of(item.message)
            if found != item.sources:
                item.set_sources(found)
        self.place()

    def _sources_of(self, message: Message) -> tuple[CitedPassage, ...]:
        return () if message.parent_id is None else self._sources.get(message.parent_id, ())

    def number_of(self, message_id: int) -> int | None:
        """Where a message stands; None for one that is not shown."""
        return self._numbers.get(message_id)

    def set_width(self, width: float) -> None:
        """Lay out for another width."""
        if width != self._width:
            self._width = width
            for item in self.items:
                item.set_width(width)
            self.place()

    def set_style(self, style: Style) -> None:
        """Take other fonts or colours."""
        self._style = style
        for item in self.items:
            item.set_style(style)
        self.place()

    def place(self) -> None:
        """Stack the messages anew; call after the height of one has changed."""
        heights = np.fromiter((item.height for item in self.items), np.float64, len(self.items))
        ends = np.cumsum(heights)
        self.height = float(ends[-1]) if len(ends) else 0.0
        self._tops = (ends - heights).tolist()

    def top_of(self, number: int) -> float:
        """Where a message begins."""
        return self._tops[number]

    def number_at(self, y: float) -> int:
        """The message at a height, or the nearest; 0 where there is none."""
        return max(0, bisect_right(self._tops, y) - 1)

    def between(self, top: float, bottom: float) -> Iterator[tuple[int, MessageItem, float]]:
        """Messages that stand between two heights: number, message, top."""
        number = self.number_at(top)
        while number < len(self.items) and self._tops[number] <= bottom:
            yield number, self.items[number], self._tops[number]
            number += 1

    def anchor_at(self, y: float) -> Anchor:
        """What stands at a height."""
        if not self.items:
            return Anchor()
        number = self.number_at(y)
        section, block, below = self.items[number].mark(y - self._tops[number])
        return Anchor(number, section, block, below)

    def height_of(self, anchor: Anchor) -> float:
        """Where an anchor stands now."""
        if not self.items:
            return 0.0
        number = min(anchor.item, len(self.items) - 1)
        return self._tops[number] + self.items[number].height_of(anchor.section, anchor.block) + anchor.below

    def settle(self, anchor: Anchor | None, viewport_height: float) -> float:
        """Lay out what will be in sight and forget the rest.

        Args:
            viewport_height: In pixels; half of it above and below is laid out too.
            anchor: What stays at the top of the viewport; None keeps the end at its bottom.

        Returns:
            Height of the sheet that belongs to the top of the viewport.
        """
        margin = viewport_height * 0.5
        shown: set[int] = set()
        value = 0.0
        for _ in range(_SETTLE_ROUNDS):
            end = max(0.0, self.height - viewport_height)
            value = end if anchor is None else max(0.0, min(end, self.height_of(anchor)))
            changed = False
            shown.clear()
            for number, item, top in list(self.between(value - margin, value + viewport_height + margin)):
                shown.add(number)
                changed |= item.show_range(value - margin - top, value + viewport_height + margin - top)
            if not changed:
                break
            self.place()
        for number in self._shown - shown:
            if number < len(self.items):
                self.items[number].release()
        self._shown = shown
        return value

    def refresh_formulas(self, announced: set[str]) -> bool:
        """Draw again what waited for these formulas."""
        changed = [self.items[number].refresh_formulas(announced) for number in self._shown]
        if any(changed):
            self.place()
        return any(changed)
