"""Cutting while text grows gives what cutting the whole gives, and never touches what is closed."""

# ruff: noqa: E501  # lines of a document stand side by side

from __future__ import annotations

import pytest
from hypothesis import example, given, settings, strategies as st

from ui.chat import blocks
from ui.chat.blocks import BlockSplitter, split
from ui.chat.markdown import parse_block

LINES = [
    "", "", "  ", "words", "more *words*", "# Title", "Title\n===", "---", "***", "- item", "* item", "-", "  - nested",
    "    code", "   words", "1. one", "2. two", "3) three", "100. x", "> quote", ">", "```", "```py", "````", "~~~",
    "  ```", "$$", "$$x$$", "$$x$$ y", "\\[", "\\]", "\\[x\\]", "| a | b |", "|---|--:|", "| 1 | 2 |", "\ttab", "a|b", "-|-",
    "=", "``", "[a]: http://b", "- ```", "- [x] done", "<b>", "* * *", "+", "1.", "\0", "终", "\r",
]  # fmt: skip
documents = st.lists(st.sampled_from(LINES), max_size=25).map("\n".join)


@settings(max_examples=400, deadline=None)
@given(documents, st.lists(st.integers(1, 9), min_size=1, max_size=40))
@example("para\n```x`\n", [6, 2, 1, 1])
def test_any_chunking_gives_the_blocks_of_the_whole(text: str, steps: list[int]) -> None:
    splitter = BlockSplitter()
    position, number = 0, 0
    while position < len(text):
        position += steps[number % len(steps)]
        number += 1
        before, n_closed = list(splitter.blocks), splitter.n_closed
        first = splitter.update(text[:position])
        assert first <= n_closed
        assert splitter.blocks[:n_closed] == before[:n_closed], "a closed block has changed"
        assert splitter.blocks == split(text[:position])
    assert splitter.update(text) <= splitter.n_closed
    assert splitter.blocks == split(text)


@settings(max_examples=200, deadline=None)
@given(documents)
def test_blocks_hold_all_that_is_not_blank_in_order(text: str) -> None:
    found = split(text)
    position = 0
    for block in found:
        assert not text[position : block.start].strip()
        assert text.startswith(block.source, block.start)
        position = block.start + len(block.source)
    assert not text[position:].strip()


@settings(max_examples=150, deadline=None)
@given(documents)
def test_every_block_can_be_shown(text: str) -> None:
    for block in split(text):
        parse_block(block)


def test_another_text_starts_over() -> None:
    splitter = BlockSplitter()
    splitter.update("one\n\ntwo\n\nthree")
    assert splitter.update("uno\n\ndue") == 0
    assert [block.source for block in splitter.blocks] == ["uno", "due"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a\n\nb", ["text", "text"]),
        ("```\nx\n\ny", ["code"]),
        ("a\n```\nx\n```\nb", ["text", "code", "text"]),
        ("$$\nx\n$$\nb", ["maths", "text"]),
        ("\\[ x \\]", ["maths"]),
        ("$$\nx\n\nb", ["text", "text"]),
        ("- a\n- b\n\n  c\n- d", ["item", "item", "item"]),
        ("- a\n\nb", ["item", "text"]),
        ("> a\nb\n\n> c", ["text", "text"]),
        ("a\n| x | y |\n|---|---|\n| 1 | 2 |\n\nb", ["text", "text"]),
        ("# t\nb", ["text", "text"]),
        ("a\n2. b", ["text"]),
        ("a\n1. b", ["text", "item"]),
    ],
)
def test_blocks_end_where_commonmark_ends_them(text: str, kinds: list[str]) -> None:
    assert [block.kind for block in split(text)] == kinds


def test_items_of_a_list_keep_their_numbers() -> None:
    assert [block.ordinal for block in split("3. a\n3. b\n3. c\n\nx\n\n7) d")] == [3, 4, 5, None, 7]


def test_only_items_of_one_list_go_on() -> None:
    assert [block.continues for block in split("x\n\n- a\n- b\n* c\n\ny\n\n- d")] == [
        False, False, True, False, False, False,
    ]  # fmt: skip


def test_an_open_fence_stays_one_block_and_says_so() -> None:
    (block,) = split("```py\n" + "x = 1\n\n" * 500)
    assert block.is_open
    (block,) = split("```py\nx\n```")
    assert not block.is_open


def test_no_paragraph_grows_without_bounds() -> None:
    found = split("word " * 200_000) + split("x" * 1_000_000) + split("line\n" * 50_000)
    assert max(len(block.source) for block in found) <= blocks.LINE_HARD_LIMIT
    assert all(block.continues for block in split("x" * 1_000_000)[1:])
