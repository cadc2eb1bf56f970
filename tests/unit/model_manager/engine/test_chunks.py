from __future__ import annotations

import pytest

from model_manager.engine.chunks import (
    ALONE_FIRST_TOKENS,
    ALONE_TARGET_S,
    SHARED_FIRST_TOKENS,
    SHARED_TARGET_S,
    TILE_TOKENS,
    ChunkSize,
)


def shared(s_per_token: float) -> int:
    """The chunk that a machine ends with on which others stream."""
    chunks = ChunkSize(512)
    for _ in range(20):
        n = chunks.shared()
        chunks.observe(n, n * s_per_token, alone=False)
    return chunks.shared()


def alone(s_per_token: float, n_max: int = 512) -> int:
    """The same of one with a single long prompt."""
    chunks = ChunkSize(n_max)
    for _ in range(20):
        n = chunks.alone(100_000)
        chunks.observe(n, n * s_per_token, alone=True)
    return chunks.alone(100_000)


def test_slow_machine_halves_until_others_keep_streaming() -> None:
    n = shared(0.010)
    assert n == 16
    assert n * 0.010 <= SHARED_TARGET_S * 1.25


def test_machine_at_its_target_stays_with_the_first_guess() -> None:
    assert shared(0.003) == SHARED_FIRST_TOKENS


@pytest.mark.parametrize(
    ("s_per_token", "n"), [(0.0001, 512), (0.003, 512), (0.006, 256), (0.03, 64), (0.1, 16)]
)
def test_prompt_that_is_alone_fills_its_time(s_per_token: float, n: int) -> None:
    assert alone(s_per_token) == n
    assert n == TILE_TOKENS or n * s_per_token <= ALONE_TARGET_S


def test_first_token_is_chosen_from_a_short_call_whatever_the_length() -> None:
    chunks = ChunkSize(512)
    for n_prompt in range(1, 700):
        n_left = n_prompt
        while n_left:
            n = chunks.alone(n_left)
            assert 1 <= n <= n_left
            last, n_left = n, n_left - n
        assert last < TILE_TOKENS, n_prompt


def test_remainder_at_the_end_of_a_prompt_teaches_nothing() -> None:
    chunks = ChunkSize(512)
    chunks.observe(5, 10.0, alone=True)
    assert chunks.alone(1000) == ALONE_FIRST_TOKENS


def test_slow_machine_is_not_asked_for_more_beside_others() -> None:
    chunks = ChunkSize(512)
    chunks.observe(ALONE_FIRST_TOKENS, 60.0, alone=True)
    assert chunks.shared() == chunks.alone(1000) == 8


def test_chunk_fits_a_small_batch() -> None:
    assert ChunkSize(8).alone(100) == ChunkSize(8).shared() == 8
