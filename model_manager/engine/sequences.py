"""The sequences of a context: which tokens each holds, and which of them a new prompt can build on.

A context has a fixed number of sequences. One that finished stays resident with its tokens until its place or
its cells are needed; the next turn of the same chat finds it by its longest common prefix and computes only
what is new. What a file has kept of an earlier run is put back into a place in the same way.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence as TokenSequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model_manager.engine import checkpoints
from model_manager.engine.checkpoints import Checkpoints
from model_manager.engine.state_file import Snapshot

log = logging.getLogger(__name__)


class Memory(Protocol):
    """What is needed of a model's context; `LlamaContext` is one."""

    n_ctx_tokens: int
    n_swa_tokens: int
    can_cut: bool

    def forget(self, sequence_id: int, from_position: int = 0) -> bool: ...  # noqa: D102 - see LlamaContext
    def copy(self, source_id: int, target_id: int, n_tokens: int) -> None: ...  # noqa: D102 - see LlamaContext
    def first_position(self, sequence_id: int) -> int: ...  # noqa: D102 - see LlamaContext
    def last_position(self, sequence_id: int) -> int: ...  # noqa: D102 - see LlamaContext
    def state_bytes(self, sequence_id: int) -> int: ...  # noqa: D102 - see LlamaContext
    def state(self, sequence_id: int, *, partial: bool) -> NDArray[np.uint8]: ...  # noqa: D102 - see LlamaContext
    def set_state(self, sequence_id: int, state: NDArray[np.uint8], *, partial: bool) -> bool: ...  # noqa: D102 - see LlamaContext


class Sequence:
    """One place in the context.

    Attributes:
        tokens: What its cells hold, in order; token i lies at position i.
        is_active: An answer is being computed in it.
        last_used: Rises with every use; the smallest is the least recently used.
        checkpoints: Where it can go back to, if its memory cannot be cut.
        conversation: Whose tokens they are; "" where nobody said.
        n_kept: How many of its tokens a file holds.
        idle_since_s: On the monotonic clock.
        n_beyond: Cells after `tokens`: guesses that were computed and are not accepted (yet).
    """

    def __init__(self, sequence_id: int) -> None:
        self.id = sequence_id
        self.tokens: list[int] = []
        self.is_active = False
        self.last_used = 0
        self.checkpoints = Checkpoints()
        self.conversation = ""
        self.n_kept = 0
        self.idle_since_s = 0.0
        self.n_beyond = 0


class Sequences:
    """All places of a context; belongs to the decode thread.

    Attributes:
        on_loss: Called with an idle sequence that is about to give its place to another.
        while_trying: What is around the putting of a stored state into the context.
    """

    def __init__(self, memory: Memory, n_sequences: int) -> None:
        self._memory = memory
        self._needs_checkpoints = not memory.can_cut or memory.n_swa_tokens > 0
        self._all = [Sequence(i) for i in range(n_sequences)]
        for sequence in self._all:
            memory.forget(sequence.id)
        self._clock = 0
        self.on_loss: Callable[[Sequence], None] = lambda _sequence: None
        self.while_trying: Callable[[Snapshot], AbstractContextManager[None]] = lambda _stored: nullcontext()

    @property
    def n_tokens_active(self) -> int:
        """Cells that running answers hold; shared ones count for each."""
        return sum(len(s.tokens) for s in self._all if s.is_active)

    def idle(self) -> list[Sequence]:
        """Those that hold something and are not in use, the most recently used first."""
        resident = [s for s in self._all if s.tokens and not s.is_active]
        return sorted(resident, key=lambda s: s.last_used, reverse=True)

    def has_free(self) -> bool:
        """Whether an answer could be started."""
        return any(not s.is_active for s in self._all)

    def n_resident(self, prompt: TokenSequence[int]) -> int:
        """How many first tokens of `prompt` need not be computed, as things are."""
        return self._best_source(prompt)[0]

    def acquire(
        self, prompt: TokenSequence[int], stored: Snapshot | None = None, conversation: str = ""
    ) -> Sequence:
        """A sequence for `prompt` that holds as much of it as possible, and nothing else.

        At least one token of the prompt is left to compute, since only computing gives logits. Call it only
        while `has_free()`.

        Args:
            prompt: What is to be computed.
            stored: What a file has of it; put into the context where that saves more than what is there.
            conversation: Whose it is.
        """
        target = self._restore(prompt, stored) if stored is not None else None
        if target is None:
            target = self._reuse(prompt)
        self._mark(target)
        target.is_active = True
        target.conversation = conversation
        self._touch(target)
        return target

    def _reuse(self, prompt: TokenSequence[int]) -> Sequence:
        idle = [s for s in self._all if not s.is_active]
        n_common, source = self._best_source(prompt)
        if source is None or n_common <= 0:
            target = min(idle, key=lambda s: (bool(s.tokens), s.last_used))
            self._lose(target)
        elif not source.is_active and (n_common >= len(source.tokens) // 2 or len(idle) == 1):
            # Most of it is wanted: it is this chat itself, perhaps with its last turn made again.
            target = source
            if n_common < len(source.tokens) // 2:
                self.on_loss(source)  # another chat, and there is no other place for it
            self._cut(target, n_common)
        else:
            # Only its beginning is wanted (a system prompt, say): it stays for its own next turn.
            others = [s for s in idle if s is not source]
            target = min(others, key=lambda s: (bool(s.tokens), s.last_used))
            self._lose(target)
            self._share(source, target, n_common)
        return target

    def _restore(self, prompt: TokenSequence[int], stored: Snapshot) -> Sequence | None:
        """Put a stored state into a place; None where that saves nothing or does not work."""
        wanted = np.asarray(prompt, np.int32)
        n_wanted = min(common_prefix(stored.tokens, wanted), len(prompt) - 1)
        if n_wanted < len(stored.tokens) and self._needs_checkpoints:
            n_wanted = max((n for n, _ in stored.checkpoints if n <= n_wanted), default=0)
        if n_wanted <= self._best_source(prompt)[0]:
            return None
        idle = [s for s in self._all if not s.is_active]
        target = min(idle, key=lambda s: (bool(s.tokens), s.last_used))
        self._lose(target)
        n_tokens = len(stored.tokens)
        while sum(len(s.tokens) for s in self._all) + n_tokens > self._memory.n_ctx_tokens:
            if not self.evict_idle():
                return None
        with self.while_trying(stored):
            is_taken = self._memory.set_state(target.id, stored.state, partial=False)
        if not is_taken:
            log.info("a stored state of %d tokens was refused by llama.cpp", n_tokens)
            self._clear(target)
            return None
        if self._memory.last_position(target.id) != n_tokens - 1:
            log.info(
                "a stored state of %d tokens ends at %d", n_tokens, self._memory.last_position(target.id)
            )
            self._clear(target)
            return None
        target.tokens = stored.tokens.tolist()
        target.n_kept = n_tokens
        for n_before, state in stored.checkpoints:
            target.checkpoints.add(n_before, state)
        self._cut(target, n_wanted)
        log.debug("%d of %d tokens come from a file", len(target.tokens), len(prompt))
        return target if target.tokens else None

    def release(self, sequence: Sequence) -> None:
        """An answer is over; its tokens stay resident."""
        self.trim(sequence)
        self._mark(sequence)
        sequence.is_active = False
        sequence.idle_since_s = time.monotonic()
        self._touch(sequence)

    def discard(self, sequence: Sequence) -> None:
        """An answer is over and what its cells hold is not to be trusted, or their room is needed."""
        self._clear(sequence)
        sequence.is_active = False

    def evict_idle(self) -> bool:
        """Give back the cells of the idle sequence that was not used for longest; False if there is none."""
        resident = self.idle()
        if not resident:
            return False
        self._lose(resident[-1])
        return True

    def trim(self, sequence: Sequence) -> bool:
        """Drop guesses that were not accepted; False where that took all of its cells with them."""
        if sequence.n_beyond and not self._can_end_at(sequence.id, len(sequence.tokens)):
            log.debug("sequence %d cannot drop its guesses", sequence.id)
            self._clear(sequence)
            return False
        sequence.n_beyond = 0
        return True

    def forget_idle(self) -> None:
        """Drop what idle sequences hold, without telling `on_loss`."""
        for sequence in self.idle():
            self._clear(sequence)

    def sync(self, sequence: Sequence) -> None:
        """Bring `tokens` in line with the context after a decode call that was aborted or failed."""
        n_held = min(self._memory.last_position(sequence.id) + 1, len(sequence.tokens))
        if self._can_end_at(sequence.id, n_held):
            self._note_end(sequence, n_held)
        else:
            self._go_back(sequence, n_held)

    # --- checkpoints -------------------------------------------------------------------------------------

    def clip(self, sequence: Sequence, n_tokens: int, n_prompt: int) -> int:
        """How many of the next `n_tokens` of a prompt to compute, so that a checkpoint is not missed."""
        if not self._needs_checkpoints:
            return n_tokens
        n_held = len(sequence.tokens)
        stop = checkpoints.next_stop(n_held, n_prompt, sequence.checkpoints.last)
        return min(n_tokens, stop - n_held) if stop else n_tokens

    def note_computed(self, sequence: Sequence, n_before: int, n_prompt: int) -> None:
        """A sequence has grown from `n_before` tokens; takes a checkpoint where one is wanted."""
        if self._needs_checkpoints and n_before < n_prompt:
            last = sequence.checkpoints.last
            if len(sequence.tokens) == checkpoints.next_stop(n_before, n_prompt, last):
                self._mark(sequence)

    def _mark(self, sequence: Sequence) -> None:
        n_tokens = len(sequence.tokens)
        if not self._needs_checkpoints or n_tokens == 0 or sequence.checkpoints.last == n_tokens:
            return
        sequence.checkpoints.add(n_tokens, self._memory.state(sequence.id, partial=True))
        in_order = sorted(self._all, key=lambda s: (s is sequence, s.last_used))
        while sum(s.checkpoints.size_bytes for s in self._all) > checkpoints.BUDGET_BYTES:
            next(s for s in in_order if len(s.checkpoints)).checkpoints.drop_oldest()

    def _go_back(self, sequence: Sequence, n_tokens: int) -> None:
        """Return to the newest checkpoint after at most `n_tokens`, or to nothing."""
        n_kept = sequence.checkpoints.reach(n_tokens)
        if n_kept:
            state = sequence.checkpoints.state(n_kept)
            # What was copied is whole by nature, however little of a window it holds.
            if (
                self._memory.set_state(sequence.id, state, partial=True)
                and self._memory.forget(sequence.id, n_kept)
                and self._memory.last_position(sequence.id) == n_kept - 1
            ):
                self._note_end(sequence, n_kept)
                return
            log.info("sequence %d could not go back to %d", sequence.id, n_kept)
        self._clear(sequence)

    # --- reuse -------------------------------------------------------------------------------------------

    def _best_source(self, prompt: TokenSequence[int]) -> tuple[int, Sequence | None]:
        wanted = np.asarray(prompt, np.int32)
        best: tuple[int, Sequence | None] = (0, None)
        for sequence in self._all:
            n_common = self._reach(sequence, min(common_prefix(sequence.tokens, wanted), len(prompt) - 1))
            # An idle one is preferred over an equally good running one: it needs no second place.
            if n_common > best[0] or (n_common == best[0] > 0 and best[1] is not None and best[1].is_active):
                best = n_common, sequence
        return best

    def _reach(self, sequence: Sequence, n_tokens: int) -> int:
        """How many of its first `n_tokens` a sequence can be brought back to."""
        if n_tokens <= 0 or n_tokens == len(sequence.tokens):
            return n_tokens
        if self._memory.can_cut and self._window_covers(sequence.id, n_tokens):
            return n_tokens
        return sequence.checkpoints.reach(n_tokens)

    def _cut(self, sequence: Sequence, n_kept: int) -> None:
        """Keep the first tokens; all or nothing where the memory cannot be cut there."""
        if n_kept == len(sequence.tokens):
            return
        if self._can_end_at(sequence.id, n_kept):
            self._note_end(sequence, n_kept)
        else:
            self._go_back(sequence, n_kept)

    def _share(self, source: Sequence, target: Sequence, n_tokens: int) -> None:
        self._memory.copy(source.id, target.id, n_tokens)
        target.tokens = source.tokens[:n_tokens]
        target.checkpoints = source.checkpoints.copy_up_to(n_tokens)
        target.n_kept = min(source.n_kept, n_tokens)
        if not self._can_end_at(target.id, n_tokens):
            self._go_back(target, n_tokens)

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
        return self._window_covers(sequence_id, n_tokens)

    def _window_covers(self, sequence_id: int, n_tokens: int) -> bool:
        if self._memory.n_swa_tokens == 0:
            return True
        first = self._memory.first_position(sequence_id)
        return first == 0 or first < n_tokens - self._memory.n_swa_tokens

    def _note_end(self, sequence: Sequence, n_tokens: int) -> None:
        del sequence.tokens[n_tokens:]
        sequence.checkpoints.drop_after(n_tokens)
        sequence.n_kept = min(sequence.n_kept, n_tokens)

    def _lose(self, sequence: Sequence) -> None:
        if sequence.tokens:
            self.on_loss(sequence)
        self._clear(sequence)

    def _clear(self, sequence: Sequence) -> None:
        self._memory.forget(sequence.id)
        self._note_end(sequence, 0)
        sequence.n_beyond = 0

    def _touch(self, sequence: Sequence) -> None:
        self._clock += 1
        sequence.last_used = self._clock


def common_prefix(tokens: TokenSequence[int] | NDArray[np.int32], wanted: NDArray[np.int32]) -> int:
    """Number of leading tokens that both have."""
    n_both = min(len(tokens), len(wanted))
    differs = np.asarray(tokens[:n_both], np.int32) != wanted[:n_both]
    return int(differs.argmax()) if differs.any() else n_both
