"""How many prompt tokens go into one decode call."""

from __future__ import annotations

SHARED_TARGET_S = 0.15
"""Longest call while others stream or could be cancelled one by one: about five of their tokens."""

SHARED_FIRST_TOKENS = 32
"""First guess while others stream.

Calls of fewer than 64 rows share one kernel on a CPU: what is computed in them is equal to the last bit
however the rows fall into calls, so that answers do not depend on who else asks.
"""

ALONE_TARGET_S = 3.0
"""Longest call of a prompt that is alone.

It can be aborted at any node, so only progress depends on it, and who asks meanwhile. Calls of 512 rows read
a prompt 2 to 3 in a hundred faster than those of 256; on two cores the starter reads 170 to 190 tokens a
second, so that two seconds are too few for one.
"""

ALONE_FIRST_TOKENS = 128

TILE_TOKENS = 64
"""From so many rows on flash attention works in tiles on a CPU.

Measured with the starter's original, tokens a second of processor time for 512 tokens in calls of
32/63/64/128/256/512: 145, 147, 167, 174, 171, 169; the mixture 94, -, 103, 103, 104, 103. A logit may
differ by 0.85 between the two kernels, so the row that the first token is chosen from is computed by
itself: it shall not matter whether the rest of the prompt was still in the context or came from a file.
Source: llama.cpp@0c1e57098 ggml/src/ggml-cpu/ops.cpp, GGML_FA_TILE_Q
"""

_SMALLEST_TOKENS = 8
_SLOWEST_TILE_S = 3.0
_LAST_TOKENS = 1


class ChunkSize:
    """Finds the chunk that is fast without holding anybody up; belongs to the decode thread."""

    def __init__(self, n_rows_max: int) -> None:
        self._n_max = n_rows_max
        self._n_shared = min(SHARED_FIRST_TOKENS, n_rows_max)
        self._n_alone = min(ALONE_FIRST_TOKENS, n_rows_max)

    def shared(self) -> int:
        """Prompt tokens for the next call beside other answers, over all prompts in it."""
        return min(self._n_shared, self._n_alone)

    def alone(self, n_pending: int) -> int:
        """Tokens for the next call of a prompt that is alone and of which `n_pending` are left."""
        if n_pending < TILE_TOKENS:
            return min(n_pending, self._n_alone)
        if n_pending <= self._n_alone:
            return n_pending - _LAST_TOKENS
        return self._n_alone

    def observe(self, n_tokens: int, elapsed_s: float, *, alone: bool) -> None:
        """Learn from a call that held `n_tokens` of prompts; a prompt's remainder teaches nothing."""
        if elapsed_s <= 0:
            return
        if alone:
            if n_tokens >= min(SHARED_FIRST_TOKENS, self._n_alone):
                self._n_alone = self._for_rate(n_tokens / elapsed_s)
        elif n_tokens == self.shared():
            if elapsed_s > SHARED_TARGET_S * 1.25:
                self._n_shared = max(n_tokens // 2, min(_SMALLEST_TOKENS, self._n_max))
            elif elapsed_s < SHARED_TARGET_S / 3:
                self._n_shared = min(n_tokens * 2, self._n_max)

    def _for_rate(self, tokens_per_s: float) -> int:
        """The largest power of two that is computed in time; a tile even where that takes somewhat longer."""
        is_tile_bearable = tokens_per_s * _SLOWEST_TILE_S >= TILE_TOKENS
        n_tokens = TILE_TOKENS if is_tile_bearable else _SMALLEST_TOKENS
        while n_tokens * 2 <= tokens_per_s * ALONE_TARGET_S:
            n_tokens *= 2
        return min(n_tokens, self._n_max)
