from __future__ import annotations

import random
from collections.abc import Sequence

from model_manager.engine.speculation.lookup import ORDERS, PromptLookup


def guess(lookup: PromptLookup, history: Sequence[int], n_max: int = 4) -> list[int]:
    return lookup.propose(history, n_max) if lookup.chance(history) > 0 else []


def last_place(history: list[int], order: int) -> int | None:
    """The same by looking everywhere."""
    ends = range(len(history) - 1, order - 1, -1)
    return next((end for end in ends if history[end - order : end] == history[-order:]), None)


def test_what_followed_the_same_tokens_is_proposed() -> None:
    assert guess(PromptLookup(), [1, 2, 3, 4, 5, 6, 7, 1, 2]) == [3, 4, 5, 6]


def test_nothing_is_proposed_for_what_is_new() -> None:
    lookup = PromptLookup()
    assert guess(lookup, []) == []
    assert guess(lookup, [1]) == []
    assert guess(lookup, [1, 2, 3, 4, 5]) == []


def test_last_place_counts() -> None:
    assert guess(PromptLookup(), [1, 2, 3, 9, 1, 2, 4, 9, 1, 2], 2) == [4, 9]


def test_longer_run_counts_more_than_a_later_one() -> None:
    run = [11, 12, 13, 14, 1, 2]
    history = [*run, 3, 4, 9, 9, 1, 2, 5, 6, 8, 8, *run]
    assert guess(PromptLookup(), history, 2) == [3, 4]


def test_loop_is_followed_round() -> None:
    assert guess(PromptLookup(), [7, 1, 2, 3, 1, 2, 3, 1, 2, 3], 7) == [1, 2, 3, 1, 2, 3, 1]


def test_stand_ins_of_an_image_are_not_proposed() -> None:
    assert guess(PromptLookup(), [1, 2, 3, -5, -5, 4, 1, 2]) == [3]


def test_index_that_grows_finds_what_looking_everywhere_finds() -> None:
    dice = random.Random(5)
    n_asked = n_lost = 0
    for _ in range(30):
        lookup = PromptLookup()
        history = [dice.randint(0, 12) for _ in range(dice.randint(0, 300))]
        for _ in range(40):
            ends = [end for order in ORDERS if (end := last_place(history, order)) is not None]
            found = guess(lookup, history, 1)
            if ends:
                n_asked += 1
                n_lost += found != [history[ends[0]]]
            if found:
                assert found[0] in {history[end] for end in ends}
            history = history + [dice.randint(0, 5) for _ in range(dice.choice((1, 1, 1, 100)))]
    assert n_asked > 500
    assert n_lost < 0.05 * n_asked  # the table may lose a run to another one


def test_long_history_is_indexed_once_and_grows_by_tokens() -> None:
    dice = random.Random(6)
    text = [dice.randint(0, 40_000) for _ in range(5000)]
    lookup = PromptLookup()
    history = text + text[100:106]
    n_right = 0
    for i in range(106, 400):
        n_right += guess(lookup, history, 1) == [text[i]]
        history.append(text[i])
    assert n_right >= 0.95 * 294  # a lost run is found again a token later


def test_guesses_that_are_wrong_make_the_next_ones_less_likely() -> None:
    lookup = PromptLookup()
    history = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2]
    before = lookup.chance(history)
    for _ in range(10):
        lookup.chance(history)
        lookup.learn(4, 0)
    assert lookup.chance(history) < 0.7 * before
    for _ in range(10):
        lookup.chance(history)
        lookup.learn(8, 8)
    assert lookup.chance(history) > 0.9
