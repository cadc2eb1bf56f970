from __future__ import annotations

from concurrent.futures import Future

import numpy as np

from model_manager.engine.jobs import CONTINUE, Ending, Job, Verdict
from model_manager.engine.state_file import Snapshot
from model_manager.types import SamplingParams


class Silent:
    def on_prefill(self, done_tokens: int, total_tokens: int) -> None: ...

    def on_token(self, token_id: int, text: str) -> Verdict:
        return CONTINUE

    def on_end(self, ending: Ending) -> None: ...


def job(prompt: list[int]) -> Job:
    return Job(prompt, SamplingParams(seed=3), Silent(), lambda: None)


def test_text_waits_for_the_last_byte_of_a_character() -> None:
    answer = job([1])
    raw = "群".encode()
    assert [answer.take(i, raw[i : i + 1]) for i in range(3)] == ["", "", "群"]


def test_bytes_that_are_no_text_become_the_replacement_character() -> None:
    answer = job([1])
    assert answer.take(1, b"a\xff") == "a\ufffd"


def test_ending_counts_prompt_and_completion_apart() -> None:
    answer = job([1, 2, 3])
    answer.note_start(2)
    answer.take(9, b"x")
    answer.take(9, b"y")
    ending = answer.ending("length")
    assert (ending.prompt_tokens, ending.cached_tokens, ending.completion_tokens) == (3, 2, 2)
    assert ending.seed == 3
    assert ending.timings.ttft_ms is not None


def test_ending_without_a_token_has_no_timings() -> None:
    assert job([1]).ending("cancelled").timings.decode_tokens_per_s is None


def test_restart_keeps_the_first_count_of_cached_tokens() -> None:
    answer = job([1, 2, 3])
    answer.note_start(2)
    answer.note_start(0)
    assert answer.ending("stop").cached_tokens == 2


def test_job_that_was_cancelled_while_its_file_is_read_does_not_wait_for_it() -> None:
    answer = job([1, 2, 3])
    answer.stored = Future()
    assert answer.is_being_read
    answer.cancel()
    assert not answer.is_being_read
    assert answer.take_stored() is None


def test_what_was_read_is_taken_once() -> None:
    answer = job([1, 2, 3])
    snapshot = Snapshot(np.zeros(2, np.int32), np.zeros(1, np.uint8))
    answer.stored = Future()
    answer.stored.set_result(snapshot)
    assert not answer.is_being_read
    assert answer.take_stored() is snapshot
    assert answer.take_stored() is None
