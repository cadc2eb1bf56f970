from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from app.outline import outline, token_spans

THOUGHT = """Okay, the question is about rivers. They want three of them.

First, the Danube is long. Wait, is it in Europe? Yes.

## Candidates

- Rhine
- Elbe
2. Loire

Alternatively I could name the Volga. So, the answer is clear."""


def test_steps_of_a_thought() -> None:
    assert [(step.kind, step.title) for step in outline(THOUGHT)] == [
        ("order", "Okay, the question is about rivers."),
        ("order", "First, the Danube is long."),
        ("doubt", "Wait, is it in Europe?"),
        ("heading", "Candidates"),
        ("item", "Rhine"),
        ("item", "Elbe"),
        ("item", "Loire"),
        ("alternative", "Alternatively I could name the Volga."),
        ("conclusion", "So, the answer is clear."),
    ]


def test_chinese_steps() -> None:
    text = "天空是蓝色的。首先看看阳光。不对，应该看大气。所以答案是散射。"
    assert [step.kind for step in outline(text)] == ["start", "order", "doubt", "conclusion"]


@pytest.mark.parametrize("text", ["", "  \n\n "])
def test_nothing_has_no_steps(text: str) -> None:
    assert outline(text) == ()


def test_a_word_that_only_begins_like_an_opener_opens_nothing() -> None:
    assert [step.kind for step in outline("It rains. Nowhere is it dry. Soon it stops.")] == ["start"]


def test_long_titles_are_shortened() -> None:
    (step,) = outline("word " * 100)
    assert len(step.title) <= 80
    assert step.title.endswith("…")


@given(st.text(alphabet=st.sampled_from("aB .\n#-1*。等so")))
def test_steps_cover_the_text(text: str) -> None:
    steps = outline(text)
    if steps:
        assert "".join(text[step.start : step.end] for step in steps) == text
        assert all(step.end > step.start for step in steps)


def test_token_spans_follow_the_characters() -> None:
    text = "I see. So, yes."
    pieces = ["<think>", "I", " see", ".", " So", ",", " yes", ".", "</think>", "Yes"]
    steps = outline(text)
    assert token_spans(steps, text, pieces) == [(1, 5), (4, 8)]
    assert token_spans(steps, "other words", pieces) is None
