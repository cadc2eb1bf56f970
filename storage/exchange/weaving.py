"""Makes a tree of the messages that another program stored as nodes.

Their trees have nodes that are no message here: roots without text, tool calls, status lines, and an
answer in several pieces (thinking, then text). Nodes without content are taken out and their children go
to the nearest one above; an answer's pieces become one message. Broken trees are mended: a parent that is
not there makes a first message, a circle is cut where the file names it first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import replace

from storage.exchange.carried import CarriedMessage


def woven(
    nodes: Iterable[CarriedMessage], *, join_answers: bool = True, keep_empty: bool = False
) -> tuple[CarriedMessage, ...]:
    """The messages that have content, parents before children, otherwise in the order given.

    Args:
        nodes: The first of two with equal keys counts.
        join_answers: An answer that goes on in a single other one is one message, named by its first piece.
        keep_empty: Those without content too.
    """
    by_key: dict[str, CarriedMessage] = {}
    for node in nodes:
        by_key.setdefault(node.key, node)
    kept = _without_empty(by_key, keep_empty)
    ordered = _in_order(kept)
    return _joined(ordered) if join_answers else tuple(ordered)


def path_of(nodes: Sequence[CarriedMessage]) -> tuple[CarriedMessage, ...]:
    """One after the other: each node's parent is the one before it, whatever they say themselves."""
    linked = []
    parent_key: str | None = None
    for node in nodes:
        linked.append(replace(node, parent_key=parent_key))
        parent_key = node.key
    return tuple(linked)


def surviving(
    key: str | None, nodes: Iterable[CarriedMessage], messages: Sequence[CarriedMessage]
) -> str | None:
    """The message that stands for a node which may have been taken out: itself, or the nearest above it."""
    parents = {node.key: node.parent_key for node in nodes}
    keys = {message.key for message in messages}
    seen = set()
    while key is not None and key not in keys and key not in seen:
        seen.add(key)
        key = parents.get(key)
    return key if key in keys else None


def _without_empty(by_key: dict[str, CarriedMessage], keep_empty: bool) -> list[CarriedMessage]:
    is_kept = {key: keep_empty or _has_content(node) for key, node in by_key.items()}
    nearest: dict[str, str | None] = {}

    def above(key: str | None) -> str | None:
        """The nearest kept node from `key` upwards, itself included."""
        way = []
        seen = set()
        while (
            key is not None and key in by_key and not is_kept[key] and key not in nearest and key not in seen
        ):
            seen.add(key)
            way.append(key)
            key = by_key[key].parent_key
        if key is None or key not in by_key or key in seen:
            found = None
        else:
            found = key if is_kept[key] else nearest[key]
        for passed in way:
            nearest[passed] = found
        return found

    return [replace(node, parent_key=above(node.parent_key)) for key, node in by_key.items() if is_kept[key]]


def _in_order(nodes: list[CarriedMessage]) -> list[CarriedMessage]:
    children: dict[str | None, list[int]] = {}
    for place, node in enumerate(nodes):
        children.setdefault(node.parent_key, []).append(place)
    ready = list(children.get(None, ()))
    heapq.heapify(ready)
    ordered: list[CarriedMessage] = []
    done: set[int] = set()
    next_uncut = 0
    while len(ordered) < len(nodes):
        if not ready:  # what is left goes round in circles
            while next_uncut in done:
                next_uncut += 1
            place = next_uncut
            nodes[place] = replace(nodes[place], parent_key=None)
        else:
            place = heapq.heappop(ready)
        if place in done:
            continue
        done.add(place)
        ordered.append(nodes[place])
        for child in children.get(nodes[place].key, ()):
            if child not in done:
                heapq.heappush(ready, child)
    return ordered


def _joined(ordered: list[CarriedMessage]) -> tuple[CarriedMessage, ...]:
    n_children: dict[str, int] = {}
    for node in ordered:
        if node.parent_key is not None:
            n_children[node.parent_key] = n_children.get(node.parent_key, 0) + 1
    messages: dict[str, CarriedMessage] = {}
    stands_for: dict[str, str] = {}
    for node in ordered:
        parent_key = node.parent_key and stands_for[node.parent_key]
        above = messages.get(parent_key) if parent_key else None
        is_piece = above is not None and above.role == node.role == "assistant"
        if is_piece and above is not None and n_children[node.parent_key or ""] == 1:
            messages[above.key] = _one(above, node)
            stands_for[node.key] = above.key
        else:
            messages[node.key] = replace(node, parent_key=parent_key)
            stands_for[node.key] = node.key
    return tuple(messages.values())


def _one(first: CarriedMessage, second: CarriedMessage) -> CarriedMessage:
    return replace(
        first,
        parts=first.parts + second.parts,
        status=second.status,
        generation=second.generation or first.generation,
        ended_at=second.ended_at or second.created_at or first.ended_at,
    )


def _has_content(node: CarriedMessage) -> bool:
    return any(part.text or part.kind not in ("text", "reasoning") for part in node.parts)
