from __future__ import annotations

import itertools

from hypothesis import given, settings, strategies as st

from model_manager.engine.stops import StopStrings, held_back

texts = st.text(alphabet="ab<|>\n", max_size=30)


def split(text: str, cuts: list[int]) -> list[str]:
    borders = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in itertools.pairwise(borders)]


def test_stop_string_across_tokens_is_found_and_not_shown() -> None:
    stops = StopStrings(["END"])
    assert [stops.feed(text) for text in ("a", "E", "N", "x", "EN", "D", "later")] == [
        "a",
        "",
        "",
        "ENx",
        "",
        "",
        "",
    ]
    assert stops.is_hit
    assert stops.finish() == ""


def test_what_was_held_back_comes_at_the_end() -> None:
    stops = StopStrings(["END"])
    assert stops.feed("the EN") == "the "
    assert stops.finish() == "EN"


def test_first_of_several_wins() -> None:
    stops = StopStrings(["world", "o w"])
    assert stops.feed("hello world") == "hell"


def test_empty_strings_stop_nothing() -> None:
    stops = StopStrings(["", ""])
    assert stops.feed("all") == "all"
    assert not stops.is_hit


def test_only_what_could_begin_an_ending_is_held_back() -> None:
    assert held_back("abc", ["cd", "bcx"]) == 2
    assert held_back("abc", ["x"]) == 0
    assert held_back("abc", ["abc"]) == 0
    assert held_back("", ["abc"]) == 0


@settings(deadline=None)
@given(
    texts,
    st.lists(st.text(alphabet="ab<|>", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 99)),
)
def test_any_split_gives_the_same(text: str, strings: list[str], cuts: list[int]) -> None:
    stops = StopStrings(strings)
    shown = "".join(stops.feed(piece) for piece in split(text, cuts)) + stops.finish()
    first = min((text.index(string) for string in strings if string in text), default=len(text))
    # A split may find a short string before a long one that began earlier: then it ends later, never earlier.
    assert text.startswith(shown)
    assert len(shown) >= first
    assert stops.is_hit == (first < len(text))
    assert not any(string in shown for string in strings)
