"""From a rendered prompt to token ids, such that no message can contain a control token.

Markers in a template's own text become control tokens, the same characters in a message stay text. Where no
message holds anything like a marker (nearly always) the prompt is tokenized in one piece, exactly as every
other program would; else piece by piece.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

from model_manager.engine.templates import RenderedPrompt, Segment

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


class PromptTokenizer:
    """Tokenizes prompts for one vocabulary; any thread may use it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._is_control: dict[int, bool] = {}

    def tokenize(self, prompt: RenderedPrompt) -> list[int]:
        """Token ids of a prompt, with one begin-of-sequence token if the model wants one."""
        pieces = [self._of_segment(segment) for segment in prompt.segments]
        markers = [self._markers(tokens) for tokens in pieces]
        trusted = [
            token
            for segment, found in zip(prompt.segments, markers, strict=True)
            if segment.is_trusted
            for token in found
        ]
        tokens = self._vocabulary.tokenize(prompt.text, special=True)
        if self._markers(tokens) != trusted or self._holds_markers(prompt.segments):
            tokens = [token for piece in pieces for token in piece]
        begin = self._vocabulary.tokenize("", special=True, add_bos=True)
        return tokens if tokens[: len(begin)] == begin else begin + tokens

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
