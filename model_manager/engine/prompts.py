"""From a rendered prompt to token ids, such that no message can contain a control token.

Markers in a template's own text become control tokens, the same characters in a message stay text. Where no
message holds anything like a marker (nearly always) the prompt is tokenized in one piece, exactly as every
other program would; else piece by piece.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from model_manager.engine.stand_ins import Segment
from model_manager.engine.templates import RenderedPrompt
from model_manager.errors import NoVision

if TYPE_CHECKING:
    from model_manager.engine.llama.vision import MediaChunk, Vision

# What markers look like in any vocabulary: <|im_end|>, </s>, [INST], <start_of_turn>, <｜Assistant｜>.
_MARKER_LIKE: Final = re.compile(r"<[^\s<>]+>|\[[^\s\[\]]+\]|<[^\s<>]*[|｜][^<>]*>")
_FIRST_OF_MARKER: Final = re.compile(r"(?<=[<\[])")


class Vocabulary(Protocol):
    """What is needed of a model here."""

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        """Token ids of `text`; markers become control tokens only if `special`."""
        ...

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        """Bytes of one token; b"" for a control token unless `special`."""
        ...


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """A prompt as it is computed.

    Attributes:
        tokens: An image's positions are held by its stand-ins, which are negative.
        media: Pieces of images by the index at which their stand-ins begin.
    """

    tokens: list[int]
    media: dict[int, MediaChunk]


class PromptTokenizer:
    """Tokenizes prompts for one vocabulary; any thread may use it."""

    def __init__(self, vocabulary: Vocabulary, vision: Vision | None = None) -> None:
        self._vocabulary = vocabulary
        self._vision = vision
        self._is_control: dict[int, bool] = {}

    def tokenize(self, prompt: RenderedPrompt) -> PromptTokens:
        """The tokens of a prompt, with one begin-of-sequence token if the model wants one.

        Raises:
            NoVision: It holds images, and the model sees none.
            ImageRefused: One of them cannot be decoded.
        """
        tokens: list[int] = []
        media: dict[int, MediaChunk] = {}
        for is_image, run in itertools.groupby(prompt.segments, lambda segment: segment.image is not None):
            if not is_image:
                tokens += self._of_text(tuple(run))
                continue
            for segment in run:
                for piece in self._look(segment):
                    if isinstance(piece, int):
                        tokens.append(piece)
                    else:
                        media[len(tokens)] = piece
                        tokens += piece.stand_ins
        begin = self._vocabulary.tokenize("", special=True, add_bos=True)
        if tokens[: len(begin)] != begin:
            tokens = begin + tokens
            media = {start + len(begin): chunk for start, chunk in media.items()}
        return PromptTokens(tokens, media)

    def _look(self, segment: Segment) -> tuple[int | MediaChunk, ...]:
        assert segment.image is not None
        if self._vision is None:
            raise NoVision
        return self._vision.look(segment.image).pieces

    def _of_text(self, segments: Sequence[Segment]) -> list[int]:
        pieces = [self._of_segment(segment) for segment in segments]
        markers = [self._markers(tokens) for tokens in pieces]
        trusted = [
            token
            for segment, found in zip(segments, markers, strict=True)
            if segment.is_trusted
            for token in found
        ]
        tokens = self._vocabulary.tokenize("".join(segment.text for segment in segments), special=True)
        if self._markers(tokens) != trusted or self._holds_markers(segments):
            tokens = [token for piece in pieces for token in piece]
        return tokens

    def _of_segment(self, segment: Segment) -> list[int]:
        if segment.is_trusted:
            return self._vocabulary.tokenize(segment.text, special=True)
        tokens = self._vocabulary.tokenize(segment.text, special=False)
        if not self._markers(tokens):
            return tokens
        # Some vocabularies keep markers (`</think>`, say) as tokens that are recognized in any text. Cut
        # behind their first character, they are not.
        parts = _FIRST_OF_MARKER.split(segment.text)
        return [token for part in parts for token in self._vocabulary.tokenize(part, special=False)]

    def _holds_markers(self, segments: Sequence[Segment]) -> bool:
        return any(
            self._markers(self._vocabulary.tokenize(segment.text, special=True))
            for segment in segments
            if not segment.is_trusted
        )

    def _markers(self, tokens: Sequence[int]) -> list[int]:
        return [token for token in tokens if self._is_marker(token)]

    def _is_marker(self, token_id: int) -> bool:
        known = self._is_control.get(token_id)
        if known is None:
            text = self._vocabulary.piece(token_id, special=True).decode("utf-8", "replace")
            hidden = self._vocabulary.piece(token_id) != text.encode()
            known = self._is_control[token_id] = bool(text) and (hidden or bool(_MARKER_LIKE.fullmatch(text)))
        return known
