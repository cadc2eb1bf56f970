"""How much a value holds: what a template builds is weighed before it is built."""

from __future__ import annotations

from typing import Final

MAX_WEIGHT: Final = 4 * 1024 * 1024
"""What one value may hold: a character weighs 1, an item `ITEM_WEIGHT`. Message texts are not in it."""
ITEM_WEIGHT: Final = 32


class TemplateTooGreedyError(Exception):
    """A template builds something larger than it may."""


def weigh(value: object) -> int:
    """Weigh what `value` holds, through all levels, and each time that it is referred to.

    Raises:
        TemplateTooGreedyError: More than `MAX_WEIGHT`. Counting stops there, so nested lists are safe.
    """
    total = 0
    pending: list[object] = [value]
    while pending:
        item = pending.pop()
        total += ITEM_WEIGHT
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, (list, tuple)):
            if total + len(item) * ITEM_WEIGHT > MAX_WEIGHT:
                raise TemplateTooGreedyError("a value is too large")
            pending.extend(item)
        elif isinstance(item, dict):
            if total + len(item) * ITEM_WEIGHT > MAX_WEIGHT:
                raise TemplateTooGreedyError("a value is too large")
            pending.extend(item.keys())
            pending.extend(item.values())
        if total > MAX_WEIGHT:
            raise TemplateTooGreedyError("a value is too large")
    return total
