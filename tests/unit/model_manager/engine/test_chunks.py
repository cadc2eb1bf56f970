from __future__ import annotations

from model_manager.engine.chunks import ALONE_TARGET_S, FIRST_TOKENS, SHARED_TARGET_S, ChunkSize


def run(chunks: ChunkSize, s_per_token: float, fixed_s: float, *, alone: bool, n_calls: int = 20) -> int:
    """A machine on which a call takes `fixed_s` and so much a token; the chunk that it ends with."""
    for _ in range(n_calls):
        n = chunks.tokens(alone=alone)
        chunks.observe(n, fixed_s + n * s_per_token, alone=alone)
    return chunks.tokens(alone=alone)


def test_slow_machine_halves_until_others_keep_streaming() -> None:
    n = run(ChunkSize(512), 0.010, 0, alone=False)
    assert n == 16
    assert n * 0.010 <= SHARED_TARGET_S * 1.25


def test_machine_at_its_target_stays_with_the_first_guess() -> None:
    assert run(ChunkSize(512), 0.003, 0, alone=False) == FIRST_TOKENS


def test_larger_chunk_that_gains_nothing_is_given_up() -> None:
    assert run(ChunkSize(512), 0.003, 0, alone=True) == FIRST_TOKENS


def test_larger_chunk_that_gains_is_kept() -> None:
    n = run(ChunkSize(512), 0.0001, 0.05, alone=True)
    assert n == 512
    assert 0.05 + n * 0.0001 < ALONE_TARGET_S


def test_remainder_at_the_end_of_a_prompt_teaches_nothing() -> None:
    chunks = ChunkSize(512)
    chunks.observe(5, 10.0, alone=True)
    assert chunks.tokens(alone=True) == FIRST_TOKENS


def test_chunk_fits_a_small_batch() -> None:
    assert ChunkSize(8).tokens(alone=True) == 8
