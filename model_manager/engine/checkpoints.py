"""Moments that a sequence can go back to, for memories that cannot be cut at any token.

A recurrent state holds all that came before in one array, and a sliding window has lost what slid out of it:
neither can give up its last tokens. So the part of the memory that cannot be cut is copied where a person is
likely to go back to: shortly before the end of a prompt (another answer), where an answer ended (another
question), and now and then in a long prompt.
Source: llama.cpp@0c1e57098 tools/server/server-context.cpp:3441
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BUDGET_BYTES: Final = 512 * 1024 * 1024
"""Most that all sequences of a context keep in this way."""

MOST: Final = 8
"""Checkpoints of one sequence."""

TAIL_TOKENS: Final = 8
"""So far before the end of a prompt: templates open an answer with a few tokens that the next turn's prompt
no longer has, such as an empty block of reasoning."""

SPACING_TOKENS: Final = 1024
"""At least one in so many tokens of a prompt."""


class Checkpoints:
    """Partial states of one sequence by the number of tokens that they come after, in rising order."""

    def __init__(self) -> None:
        self._states: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self._states)

    @property
    def size_bytes(self) -> int:
        """All states together."""
        return sum(state.nbytes for state in self._states.values())

    @property
    def last(self) -> int:
        """After how many tokens the newest one is; 0 where there is none."""
        return max(self._states, default=0)

    def items(self) -> list[tuple[int, NDArray[np.uint8]]]:
        """All of them."""
        return sorted(self._states.items())

    def reach(self, n_tokens: int) -> int:
        """The newest one after at most `n_tokens`; 0 where there is none."""
        return max((n for n in self._states if n <= n_tokens), default=0)

    def state(self, n_tokens: int) -> NDArray[np.uint8]:
        """The one after exactly `n_tokens`."""
        return self._states[n_tokens]

    def add(self, n_tokens: int, state: NDArray[np.uint8]) -> None:
        """Keep one more; where there are too many, the one goes that leaves the smallest gap."""
        self._states[n_tokens] = state
        if len(self._states) > MOST:
            ordered = sorted(self._states)
            gaps = [
                (after - before, here)
                for before, here, after in zip(ordered, ordered[1:], ordered[2:], strict=False)
            ]
            del self._states[min(gaps[:-1])[1]]

    def drop_after(self, n_tokens: int) -> None:
        """Forget those of tokens that are no longer there."""
        self._states = {n: state for n, state in self._states.items() if n <= n_tokens}

    def drop_oldest(self) -> None:
        """Make room."""
        if self._states:
            del self._states[min(self._states)]

    def copy_up_to(self, n_tokens: int) -> Checkpoints:
        """Those that a copy of the first tokens can use as well; the arrays are shared, and never changed."""
        copied = Checkpoints()
        copied._states = dict(self._states)
        copied.drop_after(n_tokens)
        return copied


def next_stop(n_held: int, n_prompt: int, last: int) -> int:
    """The next length of a sequence at which a checkpoint is wanted, while its prompt is computed.

    Args:
        n_held: Tokens that it has.
        n_prompt: Tokens of the prompt.
        last: Its newest checkpoint.

    Returns:
        More than `n_held`, or 0 where none is wanted before the end of the prompt.
    """
    end = n_prompt - TAIL_TOKENS
    spaced = last + SPACING_TOKENS
    stop = spaced if n_held < spaced < end else end
    return stop if stop > n_held else 0
