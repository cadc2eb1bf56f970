from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings, strategies as st

from model_manager.engine import tool_tags
from model_manager.engine.answer_parser import AnswerParser
from model_manager.engine.answer_reader import AnswerPlan, AnswerReader
from model_manager.engine.cursor import MarkerTokens
from model_manager.engine.dialects import PLAIN, Dialect, find_dialect
from model_manager.engine.families import HARMONY, SOLAR, Family, MarkerPair, family_of
from model_manager.engine.jobs import CONTINUE, Feed
from model_manager.types import Tool

OPEN_ID, CLOSE_ID, WORD_ID = 1, 2, 9
DATA: Final = Path(__file__).parents[3] / "data" / "templates"
TEMPLATES: Final = [path.read_text() for path in sorted(DATA.glob("*.jinja"))]
THINKING = Family("thinking", reasoning=MarkerPair("<think>", "</think>"))


class Words:
    """A vocabulary in which some markers are control tokens and every other character is one token."""

    def __init__(self, *control: str) -> None:
        self._ids = {text: number for number, text in enumerate(control, 1)}
        self._pattern = re.compile("|".join(map(re.escape, control)) or "(?!)")

    def tokenize(self, text: str, *, special: bool, add_bos: bool = False) -> list[int]:
        assert special
        found: list[int] = []
        position = 0
        for match in self._pattern.finditer(text):
            found += [ord(char) + 100 for char in text[position : match.start()]]
            found.append(self._ids[match[0]])
            position = match.end()
        return found + [ord(char) + 100 for char in text[position:]]

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        texts = {number: text for text, number in self._ids.items()}
        if token_id in texts:
            return texts[token_id].encode() if special else b""
        return chr(token_id - 100).encode()

    def token_id(self, text: str) -> int | None:
        return self._ids.get(text)


class Rendering(Words):
    """The same, of a model that renders its markers."""

    def piece(self, token_id: int, *, special: bool = False) -> bytes:
        return super().piece(token_id, special=True)


SPELLED = Dialect(THINKING, MarkerTokens(THINKING.markers))
BY_ID = find_dialect(THINKING, Words("<think>", "</think>"))


def read(parser: AnswerParser, tokens: list[tuple[int, str]] | list[str]) -> tuple[str, str]:
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
    if not closed:
        return reasoning.lstrip("\n"), ""
    # Whitespace at the end of the reasoning belongs to the marker, like line breaks behind it.
    return reasoning.lstrip("\n").rstrip(), answer.lstrip("\n")


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
    parser = AnswerParser(SPELLED, start="reasoning" if starts_inside else "turn")
    assert read(parser, split(text, cuts)) == expected(text, starts_inside)
    assert parser.reasoning_tokens >= 0


@settings(deadline=None)
@given(st.text(max_size=40), st.lists(st.integers(0, 200)))
def test_model_that_does_not_think_passes_unchanged(text: str, cuts: list[int]) -> None:
    assert read(AnswerParser(PLAIN), split(text, cuts)) == ("", text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "\n", "</think>", "<think>", "<thi"]), max_size=10))
def test_spelled_markers_are_text_where_they_are_tokens(words: list[str]) -> None:
    reasoning, answer = read(AnswerParser(BY_ID), [(WORD_ID, word) for word in words])
    assert (reasoning, answer) == ("", "".join(words))


def test_text_is_shown_as_soon_as_it_can_be_no_marker() -> None:
    parser = AnswerParser(SPELLED, start="reasoning")
    assert parser.feed(WORD_ID, "Two plus").reasoning == "Two plus"
    assert parser.feed(WORD_ID, " two <").reasoning == " two"
    assert parser.feed(WORD_ID, "/thin").reasoning == ""
    assert parser.feed(WORD_ID, "king").reasoning == " </thinking"
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
    parser = AnswerParser(BY_ID)
    assert read(parser, tokens) == ("why", "so")
    assert parser.reasoning_tokens == 2


def test_second_closing_token_is_hidden() -> None:
    tokens = [(CLOSE_ID, ""), (WORD_ID, "a"), (CLOSE_ID, "</think>"), (WORD_ID, "b")]
    assert read(AnswerParser(BY_ID, start="reasoning"), tokens) == ("", "ab")


def test_block_may_open_again_by_token() -> None:
    tokens = [(OPEN_ID, ""), (WORD_ID, "a"), (CLOSE_ID, ""), (WORD_ID, "b"), (OPEN_ID, ""), (WORD_ID, "c")]
    assert read(AnswerParser(BY_ID), tokens) == ("ac", "b")


def test_answer_may_write_about_the_marker() -> None:
    assert read(AnswerParser(SPELLED), ["Write ", "<think>", " first"]) == ("", "Write <think> first")


def test_tokens_of_a_spelled_marker_are_not_reasoning() -> None:
    parser = AnswerParser(SPELLED, start="reasoning")
    read(parser, ["one", " two", "</", "think", ">", "\n", "answer"])
    assert parser.reasoning_tokens == 2


def test_marker_may_consist_of_control_tokens_and_text() -> None:
    family = Family("k3", reasoning=MarkerPair("<|open|>think<|sep|>", "<|close|>think<|sep|>"))
    words = Words("<|open|>", "<|close|>", "<|sep|>")
    dialect = find_dialect(family, words)
    text = "<|open|>think<|sep|>why<|close|>think<|sep|>so think"
    tokens = [(token, words.piece(token).decode()) for token in words.tokenize(text, special=True)]
    parser = AnswerParser(dialect)
    assert read(parser, tokens) == ("why", "so think")
    assert parser.reasoning_tokens == 3
    assert read(AnswerParser(dialect), [(WORD_ID, text)]) == ("", text)
    assert dialect.feed == tuple(words.tokenize("<|close|>think<|sep|>\n\n", special=True))


def test_marker_that_begins_with_another_one_is_found() -> None:
    """Gemma 4: `<|channel>` is a token that its model renders, `thought` is text."""

    family = Family("g", reasoning=MarkerPair("<|channel>thought", "<channel|>"), silent=("<|channel>",))
    words = Rendering("<|channel>", "<channel|>")
    text = "<|channel>thought\nwhy<channel|>so"
    tokens = [(token, words.piece(token).decode()) for token in words.tokenize(text, special=True)]
    assert read(AnswerParser(find_dialect(family, words)), tokens) == ("why", "so")


def test_punctuation_that_is_a_token_is_no_marker() -> None:
    words = Rendering(">")
    tools = [Tool("f", "", {"properties": {"x": {"type": "string"}}})]
    parser = AnswerParser(find_dialect(Family("x", tools=tool_tags.QWEN_XML), words), tools=tools)
    text = "<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call>"
    calls = [delta for piece in text.splitlines(keepends=True) for delta in parser.feed(WORD_ID, piece).calls]
    assert "".join(delta.arguments for delta in calls) == '{"x": "1"}'


def test_channels_are_concluded_with_their_own_words() -> None:
    words = Words("<|start|>", "<|channel|>", "<|message|>", "<|end|>")
    dialect = find_dialect(HARMONY, words)
    reader = AnswerReader(
        AnswerPlan("id", "m", dialect, "turn", None, (), wants_progress=False, wants_usage_apart=False)
    )

    def tokens(text: str) -> list[tuple[int, str]]:
        return [(token, words.piece(token).decode()) for token in words.tokenize(text, special=True)]

    for token in tokens("<|channel|>analysis<|message|>Hm"):
        assert reader.read(*token)[1] == CONTINUE
    reader.conclude()
    parts, verdict = reader.read(*tokens("m")[0])
    assert parts.reasoning == "m"
    assert verdict == Feed(dialect.feed)
    fed = "<|end|><|start|>assistant<|channel|>final<|message|>"
    assert dialect.feed == tuple(words.tokenize(fed, special=True))
    answer = "".join(reader.read(*token)[0].answer for token in tokens(f"{fed}So."))
    assert (answer, reader.reasoning_tokens) == ("So.", 3)


def test_solar_answers_behind_markers_of_their_own() -> None:
    words = Words("<|begin|>", "<|think|>", "<|content|>", "<|end|>")
    dialect = find_dialect(SOLAR, words)
    text = "<|think|>why<|end|><|begin|>assistant<|content|>so"
    tokens = [(token, words.piece(token).decode()) for token in words.tokenize(text, special=True)]
    assert read(AnswerParser(dialect), tokens) == ("why", "so")
    assert dialect.feed == tuple(words.tokenize("<|end|><|begin|>assistant<|content|>", special=True))


@settings(deadline=None)
@given(st.data())
def test_no_family_breaks_on_anything(data: st.DataObject) -> None:
    template = data.draw(st.sampled_from(TEMPLATES))
    family = family_of(template)
    pieces = [
        *family.markers,
        *"{}[]()<>\"':,=\\\n ",
        "f",
        "name",
        "arguments",
        "functions.f",
        "json",
        "null",
        "é",
    ]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=30)))
    cuts = data.draw(st.lists(st.integers(0, 300)))
    start: Any = data.draw(st.sampled_from(["turn", "reasoning", "answer"]))
    dialect = Dialect(family, MarkerTokens(family.markers))
    whole, cut = (AnswerParser(dialect, start=start, tools=[Tool("f")]) for _ in range(2))
    assert read(whole, [text]) == read(cut, split(text, cuts))
    assert whole.n_calls == cut.n_calls


@pytest.mark.parametrize(
    ("written", "fed"),
    [("</think>", "<tool_call>\n<function=f>\n"), ("<tool_call>", "\n<function=f>\n")],
)
def test_call_is_begun_once_the_model_has_thought(written: str, fed: str) -> None:
    """Or is gone on with, where it begins one by itself."""
    words = Words("<think>", "</think>", "<tool_call>", "</tool_call>")
    family = Family("x", reasoning=MarkerPair("<think>", "</think>"), tools=tool_tags.QWEN_XML)
    whole = "<tool_call>\n<function=f>\n"
    plan = AnswerPlan(
        *("id", "m", find_dialect(family, words), "reasoning", None, ()),
        wants_progress=False,
        wants_usage_apart=False,
        tools=(Tool("f"),),
        call_lead=tuple(words.tokenize(whole, special=True)),
        call_leads_within={"<tool_call>": tuple(words.tokenize("\n<function=f>\n", special=True))},
    )
    reader = AnswerReader(plan)
    assert reader.read(WORD_ID, "Hm")[1] == CONTINUE
    (marker,) = words.tokenize(written, special=True)
    assert reader.read(marker, "")[1] == Feed(tuple(words.tokenize(fed, special=True)))
    for token in words.tokenize(f"{fed}</function>", special=True):
        reader.read(token, words.piece(token).decode())
    assert reader.n_calls == 1
