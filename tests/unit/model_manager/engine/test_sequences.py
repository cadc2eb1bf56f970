from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model_manager.engine.checkpoints import MOST, SPACING_TOKENS, TAIL_TOKENS, Checkpoints, next_stop
from model_manager.engine.sequences import Sequences, common_prefix
from model_manager.engine.state_file import Snapshot


class Cells:
    """A context's memory, as far as positions go."""

    def __init__(self, *, can_cut: bool = True, n_swa_tokens: int = 0, n_ctx_tokens: int = 1000) -> None:
        self.n_ctx_tokens = n_ctx_tokens
        self.n_swa_tokens = n_swa_tokens
        self.can_cut = can_cut
        self.held: dict[int, int] = {}

    def forget(self, sequence_id: int, from_position: int = 0) -> bool:
        if 0 < from_position < self.held.get(sequence_id, 0) and not self.can_cut:
            return False
        self.held[sequence_id] = min(self.held.get(sequence_id, 0), from_position)
        return True

    def copy(self, source_id: int, target_id: int, n_tokens: int) -> None:
        self.held[target_id] = self.held[source_id]
        if self.can_cut:
            self.held[target_id] = min(self.held[source_id], n_tokens)

    def first_position(self, sequence_id: int) -> int:
        held = self.held.get(sequence_id, 0)
        if held == 0:
            return -1
        return max(0, held - self.n_swa_tokens) if self.n_swa_tokens else 0

    def state_bytes(self, sequence_id: int) -> int:
        return 4

    def state(self, sequence_id: int, *, partial: bool) -> NDArray[np.uint8]:
        return np.asarray([self.held[sequence_id]], np.int32).view(np.uint8)

    def set_state(self, sequence_id: int, state: NDArray[np.uint8], *, partial: bool) -> bool:
        self.held[sequence_id] = int(state.view(np.int32)[0])
        return True

    def last_position(self, sequence_id: int) -> int:
        return self.held.get(sequence_id, 0) - 1


def answer(sequences: Sequences, cells: Cells, tokens: list[int]) -> tuple[int, int]:
    """Compute `tokens`; returns the sequence and how many of them were found."""
    sequence = sequences.acquire(tokens)
    n_found = len(sequence.tokens)
    assert cells.held.get(sequence.id, 0) == n_found
    assert sequence.tokens == tokens[:n_found]
    sequence.tokens.extend(tokens[n_found:])
    cells.held[sequence.id] = len(sequence.tokens)
    sequences.release(sequence)
    return sequence.id, n_found


@pytest.mark.parametrize(
    ("tokens", "wanted", "expected"),
    [([], [1], 0), ([1, 2, 3], [1, 2, 4], 2), ([1, 2], [1, 2, 3], 2), ([1, 2, 3], [1, 2], 2), ([5], [1], 0)],
)
def test_common_prefix(tokens: list[int], wanted: list[int], expected: int) -> None:
    assert common_prefix(tokens, np.asarray(wanted, np.int32)) == expected


def test_next_turn_continues_where_the_last_ended() -> None:
    cells = Cells()
    sequences = Sequences(cells, 4)
    first, _ = answer(sequences, cells, [1, 2, 3, 4])
    assert answer(sequences, cells, [1, 2, 3, 4, 5, 6]) == (first, 4)


def test_same_prompt_again_leaves_one_token_to_compute() -> None:
    cells = Cells()
    sequences = Sequences(cells, 4)
    answer(sequences, cells, [1, 2, 3])
    assert answer(sequences, cells, [1, 2, 3])[1] == 2


def test_short_common_beginning_is_shared_and_the_source_stays() -> None:
    cells = Cells()
    sequences = Sequences(cells, 4)
    long = [1, 2, *range(10, 30)]
    first, _ = answer(sequences, cells, long)
    other, n_found = answer(sequences, cells, [1, 2, 99])
    assert other != first
    assert n_found == 2
    assert answer(sequences, cells, [*long, 31]) == (first, len(long))


def test_prefix_of_a_running_answer_is_shared() -> None:
    cells = Cells()
    sequences = Sequences(cells, 2)
    running = sequences.acquire([1, 2, 3])
    running.tokens = [1, 2, 3]
    cells.held[running.id] = 3
    other = sequences.acquire([1, 2, 3])
    assert other.id != running.id
    assert other.tokens == [1, 2]
    assert not sequences.has_free()


def test_least_recently_used_place_is_taken() -> None:
    cells = Cells()
    sequences = Sequences(cells, 2)
    first, _ = answer(sequences, cells, [1, 1])
    second, _ = answer(sequences, cells, [2, 2])
    answer(sequences, cells, [1, 1, 1])
    assert answer(sequences, cells, [3, 3])[0] == second
    assert first != second


def test_memory_that_cannot_be_cut_starts_again_from_nothing() -> None:
    cells = Cells(can_cut=False)
    sequences = Sequences(cells, 2)
    answer(sequences, cells, [1, 2, 3, 4])
    assert answer(sequences, cells, [1, 2, 3, 9])[1] == 0


def test_memory_that_cannot_be_cut_still_goes_on_at_its_end() -> None:
    cells = Cells(can_cut=False)
    sequences = Sequences(cells, 2)
    answer(sequences, cells, [1, 2, 3, 4])
    assert answer(sequences, cells, [1, 2, 3, 4, 5])[1] == 4


def test_whole_state_is_never_taken_for_a_shared_prefix() -> None:
    cells = Cells(can_cut=False)
    sequences = Sequences(cells, 3)
    answer(sequences, cells, [1, 2, *range(10, 30)])
    assert answer(sequences, cells, [1, 2, 99])[1] == 0


def test_window_that_slid_past_the_cut_starts_again() -> None:
    cells = Cells(n_swa_tokens=4)
    sequences = Sequences(cells, 2)
    answer(sequences, cells, list(range(20)))
    assert answer(sequences, cells, [*range(15), 99])[1] == 0


def test_window_that_still_covers_the_end_goes_on() -> None:
    cells = Cells(n_swa_tokens=4)
    sequences = Sequences(cells, 2)
    answer(sequences, cells, list(range(3)))
    assert answer(sequences, cells, [0, 1, 2, 3, 4])[1] == 3


def test_evict_idle_takes_the_oldest_and_spares_the_running() -> None:
    cells = Cells()
    sequences = Sequences(cells, 3)
    oldest, _ = answer(sequences, cells, [1, 1])
    answer(sequences, cells, [2, 2])
    running = sequences.acquire([3, 3])
    running.tokens = [3, 3]
    cells.held[running.id] = 2
    assert sequences.evict_idle()
    assert cells.held[oldest] == 0
    assert sequences.evict_idle()
    assert not sequences.evict_idle()
    assert sequences.n_tokens_active == 2


def test_sync_trusts_only_what_the_context_holds() -> None:
    cells = Cells()
    sequences = Sequences(cells, 1)
    running = sequences.acquire([1, 2, 3, 4])
    running.tokens = [1, 2, 3, 4]
    cells.held[running.id] = 2
    sequences.sync(running)
    assert running.tokens == [1, 2]


def test_going_back_to_a_checkpoint() -> None:
    cells = Cells(can_cut=False)
    sequences = Sequences(cells, 2)
    prompt = list(range(100, 140))
    sequence = sequences.acquire(prompt)
    n_first = sequences.clip(sequence, 40, len(prompt))
    assert n_first == len(prompt) - TAIL_TOKENS
    for n_tokens in (n_first, TAIL_TOKENS, 10):
        held = len(sequence.tokens)
        sequence.tokens.extend([*prompt, *range(10)][held : held + n_tokens])
        cells.held[sequence.id] = len(sequence.tokens)
        sequences.note_computed(sequence, held, len(prompt))
    sequences.release(sequence)
    assert [n for n, _ in sequence.checkpoints.items()] == [n_first, 50]
    again = sequences.acquire(prompt)
    assert (again, len(again.tokens), cells.held[again.id]) == (sequence, n_first, n_first)


def test_branch_copies_the_state_at_a_checkpoint() -> None:
    cells = Cells(can_cut=False)
    sequences = Sequences(cells, 3)
    first = sequences.acquire(list(range(200)))
    for n_held in (40, 200):
        first.tokens = list(range(n_held))
        cells.held[first.id] = n_held
        sequences.release(first)
    branch = sequences.acquire([*range(50), 999])
    assert branch is not first
    assert branch.tokens == list(range(40))
    assert len(first.tokens) == 200


def test_stored_state_is_put_where_it_saves_more_than_what_is_there() -> None:
    cells = Cells()
    sequences = Sequences(cells, 2)
    answer(sequences, cells, list(range(50)))
    stored = Snapshot(np.arange(80, dtype=np.int32), np.asarray([80], np.int32).view(np.uint8))
    sequence = sequences.acquire(list(range(100)), stored)
    assert sequence.tokens == list(range(80))
    assert sequence.n_kept == 80
    sequences.release(sequence)
    assert len(sequences.acquire(list(range(30)), stored).tokens) == 29  # what is there is as good


def test_stored_state_that_llama_refuses_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = Cells()
    sequences = Sequences(cells, 2)
    answer(sequences, cells, list(range(50)))
    monkeypatch.setattr(cells, "set_state", lambda *_given, **_named: False)
    stored = Snapshot(np.arange(80, dtype=np.int32), np.zeros(4, np.uint8))
    assert sequences.acquire(list(range(100)), stored).tokens == list(range(50))


def test_room_is_made_for_a_stored_state() -> None:
    cells = Cells(n_ctx_tokens=100)
    sequences = Sequences(cells, 3)
    answer(sequences, cells, [7] * 60)
    answer(sequences, cells, [8] * 30)
    stored = Snapshot(np.arange(50, dtype=np.int32), np.asarray([50], np.int32).view(np.uint8))
    lost = []
    sequences.on_loss = lambda sequence: lost.append(len(sequence.tokens))
    assert len(sequences.acquire(list(range(60)), stored).tokens) == 50
    assert lost == [60]


def test_checkpoints_stay_few_and_evenly_spread() -> None:
    kept = Checkpoints()
    for n_tokens in range(100, 2100, 100):
        kept.add(n_tokens, np.zeros(1, np.uint8))
    lengths = [n for n, _ in kept.items()]
    assert len(lengths) == MOST
    assert lengths[-2:] == [1900, 2000]
    assert (kept.reach(1999), kept.reach(99)) == (1900, 0)


@pytest.mark.parametrize(
    ("n_held", "n_prompt", "last", "expected"),
    [
        (0, 500, 0, 500 - TAIL_TOKENS),
        (0, 5000, 0, SPACING_TOKENS),
        (SPACING_TOKENS, 5000, SPACING_TOKENS, 2 * SPACING_TOKENS),
        (495, 500, 0, 0),
        (3000, 5000, 0, 5000 - TAIL_TOKENS),
        (0, 5, 0, 0),
    ],
)
def test_next_stop(n_held: int, n_prompt: int, last: int, expected: int) -> None:
    assert next_stop(n_held, n_prompt, last) == expected
