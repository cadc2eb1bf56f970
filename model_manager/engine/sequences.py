"""The sequences of a context: which tokens each holds, and which of them a new prompt can build on.

A context has a fixed number of sequences. One that finished stays resident with its tokens until its place or
its cells are needed; the next turn of the same chat finds it by its longest common prefix and computes only
what is new.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence as TokenSequence
from typing import Protocol

import numpy as np

log = logging.getLogger(__name__)


class Memory(Protocol):
    """What is needed of a model's context; `LlamaContext` is one."""

    n_swa_tokens: int

    def forget(self, sequence_id: int, from_position: int = 0) -> bool: ...  # noqa: D102 - see LlamaContext
    def copy(self, source_id: int, target_id: int, n_tokens: int) -> None: ...  # noqa: D102 - see LlamaContext
    def first_position(self, sequence_id: int) -> int: ...  # noqa: D102 - see LlamaContext
    def last_position(self, sequence_id: int) -> int: ...  # noqa: D102 - see LlamaContext


class Sequence:
    """One place in the context.

    Attributes:
        tokens: What its cells hold, in order; token i lies at position i.
        is_active: An answer is being computed in it.
        last_used: Rises with every use; the smallest is the least recently used.
    """

    def __init__(self, sequence_id: int) -> None:
        self.id = sequence_id
        self.tokens: list[int] = []
        self.is_active = False
        self.last_used = 0


class Sequences:
    """All places of a context; belongs to the decode thread."""

    def __init__(self, memory: Memory, n_sequences: int) -> None:
        self._memory = memory
        self._all = [Sequence(i) for i in range(n_sequences)]
        for sequence in self._all:
            memory.forget(sequence.id)
        self._clock = 0

    @property
    def n_tokens_active(self) -> int:
        """Cells that running answers hold; shared ones count for each."""
        return sum(len(s.tokens) for s in self._all if s.is_active)

    def has_free(self) -> bool:
        """Whether an answer could be started."""
        return any(not s.is_active for s in self._all)

    def acquire(self, prompt: TokenSequence[int]) -> Sequence:
        """A sequence for `prompt` that holds as much of it as possible, and nothing else.

        At least one token of the prompt is left to compute, since only computing gives logits. Call it only
        while `has_free()`.
        """
        idle = [s for s in self._all if not s.is_active]
        n_common, source = self._best_source(prompt)
        n_common = min(n_common, len(prompt) - 1)
        if source is None or n_common <= 0:
            target = min(idle, key=lambda s: (bool(s.tokens), s.last_used))
            self._clear(target)
        elif not source.is_active and (n_common >= len(source.tokens) // 2 or len(idle) == 1):
            # Most of it is wanted: it is this chat itself, perhaps with its last turn made again.
            target = source
            self._cut(target, n_common)
        else:
            # Only its beginning is wanted (a system prompt, say): it stays for its own next turn.
            others = [s for s in idle if s is not source]
            target = min(others, key=lambda s: (bool(s.tokens), s.last_used))
            self._clear(target)
            self._share(source, target, n_common)
        target.is_active = True
        self._touch(target)
        return target

    def release(self, sequence: Sequence) -> None:
        """An answer is over; its tokens stay resident."""
        sequence.is_active = False
        self._touch(sequence)

    def discard(self, sequence: Sequence) -> None:
        """An answer is over and what its cells hold is not to be trusted, or their room is needed."""
        self._clear(sequence)
        sequence.is_active = False

    def evict_idle(self) -> bool:
        """Give back the cells of the idle sequence that was not used for longest; False if there is none."""
        resident = [s for s in self._all if s.tokens and not s.is_active]
        if not resident:
            return False
        self._clear(min(resident, key=lambda s: s.last_used))
        return True

    def sync(self, sequence: Sequence) -> None:
        """Bring `tokens` in line with the context after a decode call that was aborted or failed."""
        n_held = self._memory.last_position(sequence.id) + 1
        if n_held > len(sequence.tokens) or not self._can_end_at(sequence.id, n_held):
            self._clear(sequence)
        else:
            del sequence.tokens[n_held:]

    def _best_source(self, prompt: TokenSequence[int]) -> tuple[int, Sequence | None]:
        wanted = np.asarray(prompt, np.int32)
        best: tuple[int, Sequence | None] = (0, None)
        for sequence in self._all:
            n_common = common_prefix(sequence.tokens, wanted)
            # An idle one is preferred over an equally good running one: it needs no second place.
            if n_common > best[0] or (n_common == best[0] > 0 and best[1] is not None and best[1].is_active):
                best = n_common, sequence
        return best

    def _cut(self, sequence: Sequence, n_kept: int) -> None:
        """Keep the first tokens; all or nothing where the memory cannot be cut there."""
        if n_kept == len(sequence.tokens):
            return
        if self._can_end_at(sequence.id, n_kept):
            del sequence.tokens[n_kept:]
        else:
            log.debug("sequence %d cannot be cut at %d", sequence.id, n_kept)
            self._clear(sequence)

    def _share(self, source: Sequence, target: Sequence, n_tokens: int) -> None:
        self._memory.copy(source.id, target.id, n_tokens)
        if self._can_end_at(target.id, n_tokens):
            target.tokens = source.tokens[:n_tokens]
        else:
            log.debug("sequence %d has no part that could be shared at %d", source.id, n_tokens)
            self._clear(target)

    def _can_end_at(self, sequence_id: int, n_tokens: int) -> bool:
        """Cut a sequence; False where it does not hold exactly its first tokens then.

        It must be asked for even where no cell seems to lie beyond: a hybrid model reports the position that
        all its parts have reached, while its state may be further on, and only the cut finds that out.
        """
        return self._memory.forget(sequence_id, n_tokens) and self._is_whole(sequence_id, n_tokens)

    def _is_whole(self, sequence_id: int, n_tokens: int) -> bool:
        """Whether everything that position `n_tokens` attends to is there.

        Source: llama.cpp@0c1e57098 tools/server/server-context.cpp:3277, `pos_min_thold`
        """
        if n_tokens == 0:
            return True
        if self._memory.last_position(sequence_id) != n_tokens - 1:
            return False
        if self._memory.n_swa_tokens == 0:
            return True
        first = self._memory.first_position(sequence_id)
        return first == 0 or first < n_tokens - self._memory.n_swa_tokens

    def _clear(self, sequence: Sequence) -> None:
        self._memory.forget(sequence.id)
        sequence.tokens = []

    def _touch(self, sequence: Sequence) -> None:
        self._clock += 1
        sequence.last_used = self._clock


def common_prefix(tokens: TokenSequence[int], wanted: np.ndarray[tuple[int], np.dtype[np.int32]]) -> int:
    """Number of leading tokens that both have."""
    n_both = min(len(tokens), len(wanted))
    differs = np.asarray(tokens[:n_both], np.int32) != wanted[:n_both]
    return int(differs.argmax()) if differs.any() else n_both
