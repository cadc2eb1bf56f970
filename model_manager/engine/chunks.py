"""How many prompt tokens go into one decode call."""

from __future__ import annotations

SHARED_TARGET_S = 0.15
"""Longest call while others stream or could be cancelled one by one: about five of their tokens."""

ALONE_TARGET_S = 0.6
"""Longest call of a prompt that is alone: it can be aborted at any node, so only progress depends on it."""

FIRST_TOKENS = 32
"""First guess, and on many processors the best one.

Measured with the starter's original on two cores, tokens a second for chunks of 8/16/32/64/128/400: 247, 275,
314, 271, 284, 185. Calls of fewer than 64 rows also share one kernel: their logits are equal to the last bit
whatever the chunk, while a call of 64 differs by up to 0.85. So nothing larger is tried without a reason.
"""

_SMALLEST_TOKENS = 8
_WORTHWHILE = 1.1


class ChunkSize:
    """Finds the chunk that is fast without holding anybody up; belongs to the decode thread.

    A chunk that takes less than a third of its target is doubled, one that takes longer is halved; a doubled
    one that gained less than a tenth is given up for good.
    """

    def __init__(self, n_rows_max: int) -> None:
        self._n_max = n_rows_max
        self._n_shared = self._n_alone = min(FIRST_TOKENS, n_rows_max)
        self._rates: dict[int, float] = {}
        self._ceiling = n_rows_max

    def tokens(self, *, alone: bool) -> int:
        """Prompt tokens for the next call, over all prompts in it."""
        return self._n_alone if alone else min(self._n_shared, self._n_alone)

    def observe(self, n_tokens: int, elapsed_s: float, *, alone: bool) -> None:
        """Learn from a call that held `n_tokens` of prompts; a prompt's remainder teaches nothing."""
        if n_tokens != self.tokens(alone=alone) or elapsed_s <= 0:
            return
        self._rates[n_tokens] = n_tokens / elapsed_s
        target_s = ALONE_TARGET_S if alone else SHARED_TARGET_S
        following = n_tokens
        if elapsed_s > target_s * 1.25:
            following = max(n_tokens // 2, min(_SMALLEST_TOKENS, self._n_max))
        elif alone and self._was_in_vain(n_tokens):
            self._ceiling = following = n_tokens // 2
        elif elapsed_s < target_s / 3:
            following = min(n_tokens * 2, self._ceiling)
        if alone:
            self._n_alone = following
        else:
            self._n_shared = following

    def _was_in_vain(self, n_tokens: int) -> bool:
        half = self._rates.get(n_tokens // 2)
        return n_tokens > FIRST_TOKENS and half is not None and self._rates[n_tokens] < half * _WORTHWHILE
