"""Text to tokens and back, as one model does it."""

from __future__ import annotations

import ctypes
import functools
from typing import Final

import numpy as np
from llama_cpp import llama_cpp as native
from numpy.typing import NDArray

_LONGEST_SPELLED: Final = 4
"""Bytes of the longest tokens that `spell` uses: one character of any kind."""


class Vocabulary:
    """The vocabulary of a model; any thread may use it for as long as the model is open.

    Attributes:
        handle: The native vocabulary.
        n_tokens: How many there are; ids are below.
        bos_text: Text of the token that begins a sequence; "" where there is none.
        eos_text: The same of the one that ends it.
    """

    def __init__(self, model_handle: int) -> None:
        self.handle = native.llama_model_get_vocab(model_handle)
        self._pieces: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})
        self.n_tokens: int = native.llama_vocab_n_tokens(self.handle)
        self.bos_id: int = native.llama_vocab_bos(self.handle)
        self.bos_text = self._text_of(self.bos_id)
        self.eos_text = self._text_of(native.llama_vocab_eos(self.handle))

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        """Token ids of `text`.

        Args:
            text: Any text.
            special: Markers such as `<|im_start|>` become control tokens; never pass True for a user's words.
            add_bos: Let the model's own rule add its first token.
        """
        raw = text.encode("utf-8", "replace")
        capacity = len(raw) + 8
        while True:
            buffer = (native.llama_token * capacity)()
            n_tokens = native.llama_tokenize(self.handle, raw, len(raw), buffer, capacity, add_bos, special)
            if n_tokens >= 0:
                return buffer[:n_tokens]
            capacity = -n_tokens

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        """Bytes of one token, perhaps a part of a character; b"" for a control token unless `special`."""
        cache = self._pieces[special]
        known = cache.get(token_id)
        if known is None:
            known = cache[token_id] = self._read_piece(token_id, special)
        return known

    def _read_piece(self, token_id: int, special: bool) -> bytes:
        capacity = 32
        while True:
            buffer = ctypes.create_string_buffer(capacity)
            n_bytes = native.llama_token_to_piece(self.handle, token_id, buffer, capacity, 0, special)
            if n_bytes >= 0:
                return buffer.raw[:n_bytes]
            capacity = -n_bytes

    def spell(self, text: str) -> list[int]:
        """Tokens that are exactly `text`, in many small ones: `tokenize` may put a space before it.

        Raises:
            ValueError: The vocabulary lacks a byte of it.
        """
        raw, at, tokens = text.encode("utf-8", "replace"), 0, []
        while at < len(raw):
            ends = range(min(at + _LONGEST_SPELLED, len(raw)), at, -1)
            end = next((end for end in ends if raw[at:end] in self._short_pieces), None)
            if end is None:
                raise ValueError(f"no token for byte {raw[at]}")
            tokens.append(self._short_pieces[raw[at:end]])
            at = end
        return tokens

    @functools.cached_property
    def _short_pieces(self) -> dict[bytes, int]:
        pieces = ((self._read_piece(token, False), token) for token in range(self.n_tokens))
        return {piece: token for piece, token in pieces if 0 < len(piece) <= _LONGEST_SPELLED}

    def _text_of(self, token_id: int) -> str:
        return "" if token_id < 0 else self.piece(token_id, special=True).decode("utf-8", "replace")

    def token_id(self, text: str) -> int | None:
        """The one token that is exactly `text`, as markers are; None where it takes several."""
        wanted = text.encode()
        matching = [t for t in self.tokenize(text, special=True) if self.piece(t, special=True) == wanted]
        return matching[0] if matching else None

    @functools.cached_property
    def end_ids(self) -> NDArray[np.intp]:
        """All tokens for which `is_end` is true."""
        return np.array([t for t in range(self.n_tokens) if self.is_end(t)], np.intp)

    @functools.cached_property
    def control_ids(self) -> NDArray[np.intp]:
        """Tokens that are not text, apart from those that end a turn."""
        is_control = native.llama_vocab_is_control
        controls = [t for t in range(self.n_tokens) if is_control(self.handle, t) and not self.is_end(t)]
        return np.array(controls, np.intp)

    def is_end(self, token_id: int) -> bool:
        """Whether the model says with this token that its turn is over."""
        return bool(native.llama_vocab_is_eog(self.handle, token_id))
