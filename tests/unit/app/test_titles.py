from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from app.titles import MAX_LENGTH, title_from


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What is a mixture of experts?", "What is a mixture of experts?"),
        ("Thank you. And now the rest.", "Thank you"),
        ("first line\nsecond line", "first line"),
        ("  much \t space  ", "much space"),
        ("# A **bold** `heading`", "A bold heading"),
        ("See [the paper](https://example.org/a) please", "See the paper please"),
        ("Look ![alt](picture.png) here", "Look here"),
        ("```python\nprint(1)\n```\nWhat does this do?", "What does this do?"),
        ("什么是混合专家模型？请解释。", "什么是混合专家模型？"),
        ("Version 3.5 is out", "Version 3.5 is out"),
        ("> quoted words", "quoted words"),
        ("- a point\n- another", "a point"),
        ("Is this **bold**, ***both*** and _slanted_?", "Is this bold, both and slanted?"),
        ("What does `len` do?", "What does len do?"),
        ("Fix this:\n```python\nprint(1)\n```", "Fix this"),
        ("What is C# good for?", "What is C# good for?"),
        ("Why is 5 > 3 and 2 * 3 = 6?", "Why is 5 > 3 and 2 * 3 = 6?"),
        ("Explain my_long_name and a|b", "Explain my_long_name and a|b"),
    ],
)
def test_first_sentence_without_markdown(text: str, title: str) -> None:
    assert title_from(text) == title


@pytest.mark.parametrize("text", ["```print(1)```", "#"])
def test_what_is_only_markup_is_its_own_title(text: str) -> None:
    assert title_from(text) == text


def test_long_question_is_cut_at_a_word() -> None:
    title = title_from("experts " * 40)
    assert len(title) <= MAX_LENGTH
    assert title.endswith("experts…")


def test_long_question_without_spaces_is_cut_anywhere() -> None:
    title = title_from("专" * 200)
    assert len(title) == MAX_LENGTH
    assert title.endswith("专…")


def test_empty_has_no_title() -> None:
    assert title_from("") == ""


@given(st.text().filter(str.strip))
def test_always_a_short_line(text: str) -> None:
    title = title_from(text)
    assert title.strip() == title
    assert 0 < len(title) <= MAX_LENGTH
    assert "\n" not in title
