from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_manager.engine.reasoning import Marker, Markers, ReasoningParser, ThinkingBudget, find_markers
from model_manager.engine.templates import MarkerPair

OPEN_ID, CLOSE_ID, WORD_ID = 1, 2, 9
SPELLED = Markers(Marker("<think>"), Marker("</think>"), feed=(7, 8))
BY_ID = Markers(Marker("<think>", OPEN_ID), Marker("</think>", CLOSE_ID), feed=(CLOSE_ID,))


def read(parser: ReasoningParser, tokens: list[tuple[int, str]] | list[str]) -> tuple[str, str]:
    reasoning = answer = ""
    for token in tokens:
        token_id, text = token if isinstance(token, tuple) else (WORD_ID, token)
        parts = parser.feed(token_id, text)
        reasoning += parts.reasoning
        answer += parts.answer
    rest = parser.finish()
    return reasoning + rest.reasoning, answer + rest.answer


def expected(text: str, starts_inside: bool) -> tuple[str, str]:
    """The same in one go: what the parser must come to, however the text was cut."""
    if not starts_inside:
        opened = re.match(r"\s*<think>", text)
        if opened is None:
            return "", text
        text = text[opened.end() :]
    reasoning, closed, answer = text.partition("</think>")
    return reasoning.lstrip("\n"), answer.lstrip("\n") if closed else ""


def split(text: str, cuts: list[int]) -> list[str]:
    borders = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in itertools.pairwise(borders)]


pieces = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</", "think", ">", "\n", " ", "a", "b</thin", "é"]),
    max_size=14,
).map("".join)


@settings(deadline=None)
@given(pieces, st.lists(st.integers(0, 200)), st.booleans())
def test_any_split_into_tokens_gives_the_same_parts(text: str, cuts: list[int], starts_inside: bool) -> None:
    parser = ReasoningParser(SPELLED, starts_inside=starts_inside)
    assert read(parser, split(text, cuts)) == expected(text, starts_inside)
    assert parser.reasoning_tokens >= 0


@settings(deadline=None)
@given(st.text(max_size=40), st.lists(st.integers(0, 200)))
def test_model_that_does_not_think_passes_unchanged(text: str, cuts: list[int]) -> None:
    assert read(ReasoningParser(None), split(text, cuts)) == ("", text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "\n", "</think>", "<think>", "<thi"]), max_size=10))
def test_spelled_markers_are_text_where_they_are_tokens(words: list[str]) -> None:
    reasoning, answer = read(ReasoningParser(BY_ID), [(WORD_ID, word) for word in words])
    assert (reasoning, answer) == ("", "".join(words))


def test_text_is_shown_as_soon_as_it_can_be_no_marker() -> None:
    parser = ReasoningParser(SPELLED, starts_inside=True)
    assert parser.feed(WORD_ID, "Two plus").reasoning == "Two plus"
    assert parser.feed(WORD_ID, " two <").reasoning == " two "
    assert parser.feed(WORD_ID, "/thin").reasoning == ""
    assert parser.feed(WORD_ID, "king").reasoning == "</thinking"
    assert parser.feed(WORD_ID, "</think>\n").reasoning == ""
    assert parser.feed(WORD_ID, "\nFour").answer == "Four"


@pytest.mark.parametrize("rendered", ["", "<think>"])
def test_marker_tokens_turn_whether_they_are_rendered_or_not(rendered: str) -> None:
    closing = rendered.replace("<", "</")
    tokens = [
        (OPEN_ID, rendered),
        (WORD_ID, "\n"),
        (WORD_ID, "why"),
        (CLOSE_ID, closing),
        (WORD_ID, "\n\nso"),
    ]
    parser = ReasoningParser(BY_ID)
    assert read(parser, tokens) == ("why", "so")
    assert parser.reasoning_tokens == 2


def test_second_closing_token_is_hidden() -> None:
    tokens = [(CLOSE_ID, ""), (WORD_ID, "a"), (CLOSE_ID, "</think>"), (WORD_ID, "b")]
    assert read(ReasoningParser(BY_ID, starts_inside=True), tokens) == ("", "ab")


def test_block_may_open_again_by_token() -> None:
    tokens = [(OPEN_ID, ""), (WORD_ID, "a"), (CLOSE_ID, ""), (WORD_ID, "b"), (OPEN_ID, ""), (WORD_ID, "c")]
    assert read(ReasoningParser(BY_ID), tokens) == ("ac", "b")


def test_answer_may_write_about_the_marker() -> None:
    assert read(ReasoningParser(SPELLED), ["Write ", "<think>", " first"]) == ("", "Write <think> first")


def test_tokens_of_a_spelled_marker_are_not_reasoning() -> None:
    parser = ReasoningParser(SPELLED, starts_inside=True)
    read(parser, ["one", " two", "</", "think", ">", "\n", "answer"])
    assert parser.reasoning_tokens == 2


def test_budget_is_over_once_a_block() -> None:
    parser, budget = ReasoningParser(BY_ID, starts_inside=True), ThinkingBudget(2)
    over = []
    for _ in range(4):
        parser.feed(WORD_ID, "x")
        over.append(budget.is_over(parser))
    assert over == [False, True, False, False]
    parser.feed(CLOSE_ID, "")
    assert not budget.is_over(parser)
    parser.feed(OPEN_ID, "")
    assert budget.is_over(parser)


def test_conclude_ends_the_reasoning_at_the_next_token() -> None:
    parser, budget = ReasoningParser(BY_ID, starts_inside=True), ThinkingBudget(None)
    parser.feed(WORD_ID, "x")
    assert not budget.is_over(parser)
    budget.conclude()
    assert budget.is_over(parser)


def test_conclude_does_nothing_to_an_answer() -> None:
    budget = ThinkingBudget(None)
    budget.conclude()
    assert not budget.is_over(ReasoningParser(BY_ID))


class Words:
    """A vocabulary in which the closing marker alone is a token."""

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        assert special
        return [CLOSE_ID, *map(ord, text.removeprefix("</think>"))]

    def token_id(self, text: str) -> int | None:
        return CLOSE_ID if text == "</think>" else None


def test_markers_are_looked_up_in_the_vocabulary() -> None:
    found = find_markers(MarkerPair("<think>", "</think>"), Words())
    assert found == Markers(Marker("<think>"), Marker("</think>", CLOSE_ID), feed=(CLOSE_ID, 10, 10))
