from __future__ import annotations

import itertools
from collections.abc import Sequence

from model_manager.engine.speculation.lookup import LookupSource
from model_manager.engine.speculation.speculator import JobSpeculation, Speculator


class Fixed:
    """Always has the same guess."""

    cost_s = 0.0

    def __init__(self, chance: float) -> None:
        self.chance_now = chance
        self.learned: list[tuple[int, int]] = []
        self.is_closed = False

    def chance(self, history: Sequence[int]) -> float:
        return self.chance_now

    def propose(self, history: Sequence[int], n_max: int) -> list[int]:
        return [7] * n_max

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        self.learned.append((n_drafted, n_accepted))

    def close(self) -> None:
        self.is_closed = True


class Answer:
    def __init__(self, draft: Fixed | None, n_tokens: int = 10, n_tokens_left: int | None = None) -> None:
        self.history = [1] * n_tokens
        self.n_tokens_left = n_tokens_left
        self.speculation = None if draft is None else JobSpeculation(draft)


def speculator(n_max: int = 16, *, is_adaptive: bool = True) -> Speculator:
    made = Speculator(LookupSource(), n_max, is_adaptive=is_adaptive)
    for n_rows, seconds in ((1, 0.010), (5, 0.020), (9, 0.030), (17, 0.050)):
        made.observe(n_rows, seconds, 2)
    return made


def lengths(made: Speculator, *answers: Answer, n_ctx: int = 1000, n_rows: int = 100) -> list[int]:
    return [len(guesses) for guesses in made.propose(answers, n_ctx, n_rows)]


def test_good_guesses_are_brought() -> None:
    assert lengths(speculator(), Answer(Fixed(0.98))) == [16]


def test_answer_without_a_source_brings_none() -> None:
    assert lengths(speculator(), Answer(None), Answer(Fixed(0.98)))[0] == 0


def test_no_more_than_the_answer_may_still_say() -> None:
    eager = speculator(is_adaptive=False)
    assert lengths(eager, Answer(Fixed(1.0), n_tokens_left=4)) == [3]
    assert lengths(eager, Answer(Fixed(1.0), n_tokens_left=1)) == [0]
    assert lengths(eager, Answer(Fixed(1.0), n_tokens=995)) == [5]
    assert lengths(eager, Answer(Fixed(1.0), n_tokens=1000)) == [0]
    assert lengths(eager, Answer(Fixed(1.0)), n_rows=2) == [2]
    assert sum(lengths(eager, Answer(Fixed(1.0)), Answer(Fixed(1.0)))) == 16


def test_nothing_is_guessed_before_a_call_was_measured() -> None:
    assert lengths(Speculator(LookupSource(), 16), Answer(Fixed(1.0))) == [0]


def test_bad_guesses_are_tried_ever_more_rarely() -> None:
    made, draft = speculator(), Fixed(0.1)
    answer = Answer(draft)
    assert answer.speculation is not None
    probes = []
    for turn in range(2000):
        (n_guesses,) = lengths(made, answer)
        if n_guesses:
            probes.append(turn)
            answer.speculation.expect([7] * n_guesses)
            answer.speculation.note(8)
            answer.speculation.settle()
    gaps = [later - earlier for earlier, later in itertools.pairwise(probes)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 500
    draft.chance_now = 0.98
    assert lengths(made, answer) == [16]


def test_what_became_of_guesses_is_counted() -> None:
    draft = Fixed(1.0)
    speculation = JobSpeculation(draft)
    speculation.expect([1, 2, 3, 4])
    for token in (1, 2, 9):
        speculation.note(token)
    speculation.settle()
    assert (speculation.n_drafted, speculation.n_accepted) == (4, 2)
    assert draft.learned == [(4, 2)]


def test_guesses_behind_the_end_of_an_answer_teach_nothing() -> None:
    draft = Fixed(1.0)
    speculation = JobSpeculation(draft)
    speculation.expect([1, 2, 3, 4])
    speculation.note(1)
    speculation.settle()
    assert draft.learned == [(1, 1)]
    speculation.close()
    assert draft.is_closed


def test_call_after_one_without_room_brings_none() -> None:
    made = speculator()
    made.skip_once()
    assert lengths(made, Answer(Fixed(0.98))) == [0]
    assert lengths(made, Answer(Fixed(0.98))) == [16]
