r"""Splits what a model writes into reasoning and answer while it is written.

The markers around the reasoning come from the model's template (`templates.MARKER_PAIRS`). Where a marker is
one token of the vocabulary, its id is what counts, and the same characters spelled out are text; where it is
not, the text is searched, and only what could be the beginning of a marker is held back:

    tokens   "<think>" "\n" "Two" " plus" ... "</think>" "\n\\n" "Four"
    parts     -         -   reasoning  ...      -          -       answer

The line breaks behind a marker belong to it. A spelled-out opening marker counts only at the very beginning
of an answer, so that an answer may write about `<think>`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from model_manager.engine.stops import held_back
from model_manager.engine.templates import MarkerPair


@dataclass(frozen=True, slots=True)
class Marker:
    """One end of a thinking block.

    Attributes:
        token_id: The token that is this marker; None where it is spelled out.
    """

    text: str
    token_id: int | None = None


@dataclass(frozen=True, slots=True)
class Markers:
    """How a model encloses its reasoning.

    Attributes:
        feed: The tokens that end the reasoning when they are put into the model's mouth.
    """

    opening: Marker
    closing: Marker
    feed: tuple[int, ...]


@dataclass(slots=True)
class Parts:
    """What one step brought; either may be empty."""

    reasoning: str = ""
    answer: str = ""


class ReasoningParser:
    """Reads one answer, token by token.

    Attributes:
        in_reasoning: The next token belongs to the reasoning, as far as is known.
        reasoning_tokens: Tokens of reasoning so far, without markers.
    """

    def __init__(self, markers: Markers | None, *, starts_inside: bool = False) -> None:
        """Begin.

        Args:
            markers: None for a model that does not think: everything is answer.
            starts_inside: The prompt has opened the block already.
        """
        self._markers = markers
        self._held = ""
        # Where in `_held` each token begins whose text has not come out yet; to tell a marker's tokens.
        self._held_starts: deque[int] = deque()
        self._at_start = not starts_inside  # nothing but whitespace has been written
        self._skips_breaks = starts_inside
        self.in_reasoning = starts_inside and markers is not None
        self.reasoning_tokens = 0

    def feed(self, token_id: int, text: str) -> Parts:
        """Take the next token.

        Args:
            token_id: Decides where a marker is one token.
            text: What became readable with it; may be empty.
        """
        parts = Parts()
        if self._markers is None:
            parts.answer = text
            return parts
        for marker in (self._markers.opening, self._markers.closing):
            if token_id == marker.token_id:
                # Some models render their markers, some hide them; before one, the rest of a character.
                self._emit(parts, self._held + text.removesuffix(marker.text))
                self._forget()
                # One that changes nothing (a second end, say) is hidden all the same.
                if self.in_reasoning is (marker is self._markers.closing):
                    self._turn()
                return parts
        if self.in_reasoning:
            self.reasoning_tokens += 1
        self._held_starts.append(len(self._held))
        self._held += text
        self._search(parts)
        return parts

    def finish(self) -> Parts:
        """What was still held back when the model stopped."""
        parts = Parts()
        self._emit(parts, self._held)
        self._forget()
        return parts

    def _search(self, parts: Parts) -> None:
        assert self._markers is not None
        while True:
            awaited = self._markers.closing if self.in_reasoning else self._markers.opening
            is_searched = awaited.token_id is None and (self.in_reasoning or self._at_start)
            position = self._held.find(awaited.text) if is_searched else -1
            if position < 0 or (not self.in_reasoning and self._held[:position].strip()):
                break
            if self.in_reasoning:
                self._emit(parts, self._held[:position])
            self._take_back_tokens(position)
            self._held = self._held[position + len(awaited.text) :]
            self._turn()
            self._held_starts.clear()
        keep = self._n_held_back(awaited, is_searched)
        shown = self._held[: len(self._held) - keep]
        self._emit(parts, shown)
        self._held = self._held[len(shown) :]
        while self._held_starts and self._held_starts[0] < len(shown):
            self._held_starts.popleft()
        self._held_starts = deque(start - len(shown) for start in self._held_starts)
        if not self._held:
            self._held_starts.clear()

    def _n_held_back(self, awaited: Marker, is_searched: bool) -> int:
        if not is_searched:
            return 0
        if self.in_reasoning:
            return held_back(self._held, (awaited.text,))
        # At the start of an answer: whitespace that an opening marker may still follow stands before it.
        rest = self._held.lstrip()
        return len(self._held) if awaited.text.startswith(rest) else 0

    def _emit(self, parts: Parts, text: str) -> None:
        if self._skips_breaks:
            text = text.lstrip("\n")
            self._skips_breaks = not text
        if not text:
            return
        if self.in_reasoning:
            parts.reasoning += text
        else:
            parts.answer += text
            self._at_start = self._at_start and not text.strip()

    def _turn(self) -> None:
        self.in_reasoning = not self.in_reasoning
        self._at_start = False
        self._skips_breaks = True

    def _take_back_tokens(self, position: int) -> None:
        """Tokens that begin inside a spelled-out closing marker were counted as reasoning; they are not."""
        if self.in_reasoning:
            self.reasoning_tokens -= sum(start >= position for start in self._held_starts)

    def _forget(self) -> None:
        self._held = ""
        self._held_starts.clear()


class ThinkingBudget:
    """Decides when the end of the reasoning is put into the model's mouth.

    Attributes:
        is_spent: It was done once; a second block of the same answer is ended at once.
    """

    def __init__(self, tokens: int | None) -> None:
        self._tokens = tokens
        self._is_asked = False
        self.is_spent = False

    def conclude(self) -> None:
        """End the reasoning at the next token; from any thread."""
        self._is_asked = True

    def is_over(self, parser: ReasoningParser) -> bool:
        """Whether to feed the closing marker now; true once a block."""
        if not parser.in_reasoning:
            self.is_spent = False
            return False
        if self.is_spent:
            return False
        over = self._is_asked or (self._tokens is not None and parser.reasoning_tokens >= self._tokens)
        self.is_spent = over
        return over


class Vocabulary(Protocol):
    """What is needed of a model to find its markers."""

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        """Token ids of `text`; markers become control tokens only if `special`."""
        ...

    def token_id(self, text: str) -> int | None:
        """The one token that is exactly `text`."""
        ...


def find_markers(pair: MarkerPair, vocabulary: Vocabulary) -> Markers:
    """Look a template's markers up in the vocabulary of its model."""
    return Markers(
        opening=Marker(pair.opening, vocabulary.token_id(pair.opening)),
        closing=Marker(pair.closing, vocabulary.token_id(pair.closing)),
        feed=tuple(vocabulary.tokenize(f"{pair.closing}\n\n", special=True)),
    )
