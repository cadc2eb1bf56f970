"""What is known of an answer's inside; imported from `model_manager.types`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TraceMode = Literal["replay", "live"]


@dataclass(frozen=True, slots=True)
class TokenIds:
    """What an answer was made from and of.

    Attributes:
        prompt: The whole prompt.
        answer: What the model wrote and was made to say, markers of its reasoning included.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RecordedRouting:
    """Where the tokens of an answer went, as it was noted while they were made.

    Attributes:
        layers: Numbers of the layers that have experts, ascending.
        n_tokens: How many of the answer's, from its first one on.
        n_ranks: Most experts of one token in one layer.
        experts: 16-bit integers, little-endian, by layer, token and rank; -1 behind the last of a layer.
        weights: 16-bit floats, likewise; 0 behind the last.
    """

    layers: tuple[int, ...]
    n_tokens: int
    n_ranks: int
    experts: bytes
    weights: bytes

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of both arrays."""
        return len(self.layers), self.n_tokens, self.n_ranks
