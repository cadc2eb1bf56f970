"""Text that is still being written, read by a parser that looks like one for a whole text.

A parser here is a generator: it asks the cursor for what comes next, and the cursor suspends it wherever the
model has not written that much yet. So one plain, recursive description of a format reads an answer token by
token, and every way of cutting the text into tokens gives the same result:

    def _call(cursor, calls):
        name, _ = yield from cursor.take_until(("[ARGS]",))
        ...

Markers are found by token id. A marker that is one control token has no text of its own in the stream; it
stands there as a lone surrogate, which no decoded text can contain, and the same characters spelled out are
text. `Cursor.encode` puts the surrogates into the strings that a parser looks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import Final, Protocol, TypeVar

from model_manager.engine.stops import held_back

T = TypeVar("T")
Steps = Generator[None, None, T]
Sink = Callable[[str], None]

_FIRST_SURROGATE: Final = 0xD800
MAX_MARKERS: Final = 0x400
# What tokens look like that are there to be markers; `>` may be a token, too.
_MARKER_LIKE: Final = re.compile(r"<[^\s<>]+>|\[[^\s\[\]]+\]|<[^\s<>]*[|｜][^<>]*>|\]<\]\S+\[>\[|｜\w+｜|>>>")
MAX_HEAD_CHARS: Final = 256
"""Names and ids are shorter; a model that writes more before the end of one does not write one."""


class EndOfText(Exception):
    """The model stopped where a parser wants more."""


class Broken(Exception):
    """The text is not what the parser's format says."""


class Vocabulary(Protocol):
    """What is needed of a model to find its markers."""

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        """Token ids of `text`; markers become control tokens only if `special`."""
        ...

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        """Bytes of one token; b"" for a control token unless `special`."""
        ...

    def token_id(self, text: str) -> int | None:
        """The one token that is exactly `text`."""
        ...


class MarkerTokens:
    """Which tokens of one vocabulary are the markers of one family; any number of cursors share it."""

    def __init__(
        self,
        markers: Sequence[str] = (),
        vocabulary: Vocabulary | None = None,
        hidden: Sequence[str] = (),
    ) -> None:
        """Look the markers up.

        Args:
            markers: Texts that the parser looks for; one may consist of several tokens, some of them control
                tokens.
            vocabulary: None leaves every marker spelled out.
            hidden: Those of `markers` that are never shown, wherever they stand.
        """
        self._encoded: dict[str, str] = {}
        self._stand_ins: dict[int, tuple[str, str]] = {}
        self.texts: dict[str, str] = {}
        if vocabulary is not None:
            # Those that are one token first: others may hold them.
            self._encoded = {
                marker: char for marker in markers if (char := self._of_whole(marker, vocabulary))
            }
            for marker in markers:
                if marker not in self._encoded:
                    self._encoded[marker] = self._of_pieces(marker, vocabulary)
        self._hidden = {char for marker in hidden for char in self.encode(marker) if char in self.texts}

    def encode(self, marker: str) -> str:
        """What `marker` looks like in a cursor's text."""
        return self._encoded.get(marker, marker)

    def is_token(self, marker: str) -> bool:
        """Whether it begins with a token of its own, so that spelled-out text is never taken for it."""
        return self.encode(marker)[:1] in self.texts

    def stand_in(self, token_id: int) -> tuple[str, str] | None:
        """The surrogate for a token and the text that some models render it as; None for other tokens."""
        return self._stand_ins.get(token_id)

    def _of_whole(self, marker: str, vocabulary: Vocabulary) -> str:
        """The stand-in of a marker that is one token; "" for others, and for mere punctuation."""
        token_id = vocabulary.token_id(marker)
        if token_id is None or not (_MARKER_LIKE.fullmatch(marker) or not vocabulary.piece(token_id)):
            return ""
        return self._of_token(token_id, marker)

    def _of_pieces(self, marker: str, vocabulary: Vocabulary) -> str:
        pieces: list[str] = []
        for token_id in vocabulary.tokenize(marker, special=True):
            text = vocabulary.piece(token_id, special=True).decode("utf-8", "replace")
            is_marker = token_id in self._stand_ins or (bool(text) and not vocabulary.piece(token_id))
            pieces.append(self._of_token(token_id, text) if is_marker else text)
        # Some vocabularies begin every text with a space; some do not give rare bytes back.
        for encoded in ("".join(pieces), "".join(pieces).removeprefix(" ")):
            if self.expand(encoded) == marker:
                return encoded
        return marker

    def _of_token(self, token_id: int, text: str) -> str:
        known = self._stand_ins.get(token_id)
        if known is None:
            surrogate = chr(_FIRST_SURROGATE + len(self._stand_ins) % MAX_MARKERS)
            known = self._stand_ins[token_id] = (surrogate, text)
            self.texts[surrogate] = text
        return known[0]

    def expand(self, text: str) -> str:
        """`text` with the markers' own characters in place of their surrogates."""
        if not self.texts or text.isascii():
            return text
        return "".join(self.texts.get(char, char) for char in text)

    def visible(self, text: str) -> str:
        """The same, without markers that mean nothing to a reader."""
        if not self.texts or text.isascii():
            return text
        return self.expand("".join(char for char in text if char not in self._hidden))


class Cursor:
    """Where a parser stands in the text of one answer.

    Attributes:
        tokens: What the markers are.
        position: Characters that the parser is through with.
        is_over: Nothing will be added any more.
    """

    def __init__(self, tokens: MarkerTokens | None = None) -> None:
        self.tokens = tokens or MarkerTokens()
        self.position = 0
        self.is_over = False
        self._text = ""
        self._record: list[str] | None = None
        self._marked: list[str] | None = None

    # --- the writer's side -------------------------------------------------------------------------------

    def write(self, token_id: int, text: str) -> bool:
        """Add the text of a token; says whether the token is a marker."""
        stand_in = self.tokens.stand_in(token_id)
        if stand_in is None:
            self._text += text
            return False
        # Some models render their markers, some hide them; before one, the rest of a character.
        self._text += text.removesuffix(stand_in[1]) + stand_in[0]
        return True

    @property
    def end(self) -> int:
        """Characters written so far."""
        return self.position + len(self._text)

    # --- the parser's side -------------------------------------------------------------------------------

    def encode(self, marker: str) -> str:
        """What `marker` looks like in this text."""
        return self.tokens.encode(marker)

    def start_record(self) -> None:
        """Remember what is consumed from here on, to give it back as text if it turns out to be none."""
        self._record = []

    def stop_record(self) -> str:
        """What was consumed since `start_record`, as the model spelled it."""
        recorded = "".join(self._record or ())
        self._record = None
        return self.tokens.expand(recorded)

    def mark(self, read: str = "") -> None:
        """Remember what is written from here on, beginning with `read`, which was consumed just now."""
        self._marked = [read]

    def take_marked(self) -> str:
        """What was written since `mark`, consumed or not, as the model spelled it; it is forgotten."""
        marked, self._marked = self._marked, None
        return "" if marked is None else self.tokens.expand("".join(marked) + self._text)

    def pass_until(self, stops: Sequence[str], sink: Sink, *, hides: bool = False) -> Steps[str]:
        """Hand text on until one of `stops` comes, which is consumed and returned; the longest if several.

        Args:
            stops: What to look for.
            sink: Takes the text.
            hides: Leave out markers that mean nothing to a reader.

        Raises:
            EndOfText: None came; everything was handed on.
        """
        firsts = {stop[0] for stop in stops}
        while True:
            text = self._text
            if not firsts.isdisjoint(text):
                position, stop = self._find(stops)
                may_grow = position >= 0 and not self.is_over and self._may_grow(position, stops)
                if position >= 0 and not may_grow:
                    self._hand_on(position, sink, hides)
                    self._consume(len(stop))
                    return stop
                keep = len(text) - position if may_grow else held_back(text, stops)
            else:
                keep = 0
            self._hand_on(len(text) - (0 if self.is_over else keep), sink, hides)
            yield from self._more()

    def take_until(self, stops: Sequence[str], limit: int = MAX_HEAD_CHARS) -> Steps[tuple[str, str]]:
        """The text before one of `stops`, and which of them it was; it is consumed.

        Raises:
            Broken: `limit` characters came without one.
            EndOfText: The text ended without one.
        """
        while True:
            position, stop = self._find(stops)
            if position > limit or (position < 0 and len(self._text) > limit + max(map(len, stops))):
                raise Broken
            if position >= 0 and (self.is_over or not self._may_grow(position, stops)):
                taken = self._consume(position)
                self._consume(len(stop))
                return self.tokens.expand(taken), stop
            yield from self._more()

    def next_is(self, *literals: str) -> Steps[str]:
        """Consume the longest of `literals` that comes next and return it; "" if none does."""
        while True:
            matching = [literal for literal in literals if self._text.startswith(literal)]
            longer = [
                literal
                for literal in literals
                if len(literal) > len(self._text) and literal.startswith(self._text)
            ]
            if not longer or self.is_over:
                best = max(matching, key=len, default="")
                self._consume(len(best))
                return best
            yield from self._more()

    def expect(self, *literals: str) -> Steps[str]:
        """Like `next_is`.

        Raises:
            Broken: None of them comes.
        """
        found = yield from self.next_is(*literals)
        if not found:
            raise Broken
        return found

    def peek(self) -> Steps[str]:
        """The next character; it is not consumed.

        Raises:
            EndOfText: There is none.
        """
        while not self._text:
            yield from self._more()
        return self._text[0]

    def take(self) -> Steps[str]:
        """The next character, consumed.

        Raises:
            EndOfText: There is none.
        """
        yield from self.peek()
        return self._consume(1)

    def take_span(self, length: int) -> str:
        """Up to `length` characters that are already there, consumed."""
        return self._consume(min(length, len(self._text)))

    @property
    def ready(self) -> str:
        """What is written and not consumed."""
        return self._text

    def skip_space(self) -> Steps[None]:
        """Consume whitespace; ends at the end of the text, too."""
        while True:
            self._consume(len(self._text) - len(self._text.lstrip()))
            if self._text or self.is_over:
                return
            yield from self._more()

    def wait(self) -> Steps[None]:
        """Suspend until there is more.

        Raises:
            EndOfText: There will be no more.
        """
        yield from self._more()

    def _more(self) -> Steps[None]:
        if self.is_over:
            raise EndOfText
        yield

    def _find(self, stops: Sequence[str]) -> tuple[int, str]:
        best, found = -1, ""
        for stop in stops:
            position = self._text.find(stop)
            if position >= 0 and (best < 0 or (position, -len(stop)) < (best, -len(found))):
                best, found = position, stop
        return best, found

    def _may_grow(self, position: int, stops: Sequence[str]) -> bool:
        """Whether a longer one of `stops` may still turn out to be at `position`."""
        rest = self._text[position:]
        return any(len(other) > len(rest) and other.startswith(rest) for other in stops)

    def _hand_on(self, length: int, sink: Sink, hides: bool) -> None:
        if length > 0:
            taken = self._consume(length)
            sink(self.tokens.visible(taken) if hides else self.tokens.expand(taken))

    def _consume(self, length: int) -> str:
        taken, self._text = self._text[:length], self._text[length:]
        self.position += len(taken)
        if self._record is not None and taken:
            self._record.append(taken)
        if self._marked is not None and taken:
            self._marked.append(taken)
        return taken
