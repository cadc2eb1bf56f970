from __future__ import annotations

from hypothesis import given, strategies as st

from app.word_diff import Change, similarity, word_diff


def test_words_that_changed() -> None:
    assert word_diff("the red house", "the old red barn") == (
        Change("same", "the"),
        Change("added", " old"),
        Change("same", " red"),
        Change("removed", " house"),
        Change("added", " barn"),
    )


def test_chinese_is_compared_by_character() -> None:
    assert word_diff("天空很蓝", "天空不蓝") == (
        Change("same", "天空"),
        Change("removed", "很"),
        Change("added", "不"),
        Change("same", "蓝"),
    )


@given(st.text(), st.text())
def test_both_texts_can_be_read_from_it(first: str, second: str) -> None:
    changes = word_diff(first, second)
    assert "".join(c.text for c in changes if c.kind != "added") == first
    assert "".join(c.text for c in changes if c.kind != "removed") == second
    assert 0 <= similarity(changes) <= 1


def test_only_lines_that_changed_are_compared_by_word() -> None:
    same = "one word\n" * 8000
    changes = word_diff(f"{same}the end", f"{same}an end")
    assert changes[0] == Change("same", same)
    assert changes[1:] == (Change("removed", "the"), Change("added", "an"), Change("same", " end"))


def test_passages_that_are_too_long_are_told_whole() -> None:
    first, second = "a b " * 3000, "b c " * 3000
    assert word_diff(first, second) == (Change("removed", first), Change("added", second))
    assert similarity(word_diff(first, second)) == 0
    assert similarity(word_diff("", "")) == 1.0
