from __future__ import annotations

import ctypes

import pytest

from model_manager.engine.batch import Batch


def test_add_fills_consecutive_rows() -> None:
    batch = Batch(8)
    assert batch.add(3, 10, [5, 6, 7], wants_logits=True) == 2
    assert batch.add(1, 0, [9], wants_logits=False) == 3
    assert batch.n_rows == 4
    assert batch.n_rows_left == 4
    assert batch.tokens[:4].tolist() == [5, 6, 7, 9]
    assert batch.positions[:4].tolist() == [10, 11, 12, 0]
    assert batch.sequence_ids[:4].tolist() == [3, 3, 3, 1]
    assert batch.wants_logits[:4].tolist() == [0, 0, 1, 0]


def test_row_points_at_its_own_sequence_id() -> None:
    batch = Batch(4)
    batch.add(2, 0, [1], wants_logits=True)
    batch.add(7, 0, [1], wants_logits=True)
    ids = [ctypes.c_int32.from_address(int(batch.sequence_pointers[row])).value for row in (0, 1)]
    assert ids == [2, 7]


def test_clear_forgets_the_rows() -> None:
    batch = Batch(2)
    batch.add(0, 0, [1, 2], wants_logits=True)
    batch.clear()
    assert batch.add(0, 2, [3], wants_logits=False) == 0
    assert batch.wants_logits[0] == 0


@pytest.mark.parametrize("tokens", [[], [1, 2, 3]])
def test_add_refuses_what_would_end_the_process(tokens: list[int]) -> None:
    batch = Batch(2)
    with pytest.raises(ValueError, match="rows do not fit"):
        batch.add(0, 0, tokens, wants_logits=True)
