"""What `coterie models tune` says of a trial."""

from __future__ import annotations

import pytest

from app.cli.tune import _trial_words
from model_manager.tuning import Speed, Trial


@pytest.mark.parametrize(
    ("gain", "is_taken", "words"),
    [(1.2, True, "taken"), (1.01, False, "not taken"), (1.2, False, "its measurements disagree")],
)
def test_a_trial_that_seems_faster_and_is_not_taken_says_why(gain: float, is_taken: bool, words: str) -> None:
    assert _trial_words(Trial({"n_threads": 1}, Speed(100.0, 10.0), gain, is_taken)).endswith(words)
