"""The first part of a conversation's list entry: the question's first sentence, readable on its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.titles import MAX_LENGTH, title_from


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What is a mixture of experts?", "What is a mixture of experts?"),
        ("Hello. How are you?", "Hello"),
        ("First line\nsecond line", "First line"),
        ("什么是专家混合模型？请详细解释。", "什么是专家混合模型？"),
        ("Use Python 3.12 here", "Use Python 3.12 here"),
        ("# A heading\nand text", "A heading"),
        ("> quoted words", "quoted words"),
        ("- a point\n- another", "a point"),
        ("Is this **bold** and _slanted_?", "Is this bold and slanted?"),
        ("What does `len` do?", "What does len do?"),
        ("See [the manual](https://example.org/a_b) first", "See the manual first"),
        ("Fix this:\n```python\nprint(1)\n```", "Fix this"),
        ("```python\nprint(1)\n```\nWhy does it print?", "Why does it print?"),
        ("```\nprint(1)", "``` print(1)"),
        ("  spread \t out  ", "spread out"),
        ("What is C# good for?", "What is C# good for?"),
        ("Why is 5 > 3 and 2 * 3 = 6?", "Why is 5 > 3 and 2 * 3 = 6?"),
        ("Explain my_long_name and a|b", "Explain my_long_name and a|b"),
    ],
)
def test_first_sentence_without_markup(text: str, title: str) -> None:
    assert title_from(text) == title


def test_long_sentence_is_cut_at_a_word() -> None:
    title = title_from("Explain " + "really " * 20 + "slowly")
    assert title == "Explain really really really really really really really…"
    assert len(title) <= MAX_LENGTH


def test_long_sentence_without_spaces_is_cut_anywhere() -> None:
    assert title_from("专" * 200) == "专" * (MAX_LENGTH - 1) + "…"


@given(st.text().filter(str.strip))
def test_always_a_short_line(text: str) -> None:
    title = title_from(text)
    assert title.strip() == title
    assert len(title) <= MAX_LENGTH
    assert "\n" not in title
