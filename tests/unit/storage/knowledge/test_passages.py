from __future__ import annotations

from hypothesis import given, settings, strategies as st

from storage.knowledge.passages import MAX_WEIGHT, passages_of
from storage.knowledge.records import Block


def test_short_blocks_are_joined_and_long_ones_cut_at_paragraphs() -> None:
    short = [Block("one", line=1), Block("two", line=3)]
    (joined,) = passages_of(short)
    assert (joined.text, joined.line, joined.line_end) == ("one\n\ntwo", 1, 3)
    paragraphs = ["a" * 500, "b" * 500, "c" * 500]
    first, second = passages_of([Block("\n\n".join(paragraphs), line=10)])
    assert first.text == "a" * 500 + "\n\n" + "b" * 500
    assert (second.text, second.line, second.line_end) == ("c" * 500, 14, 14)


def test_a_passage_never_crosses_a_heading_or_a_page() -> None:
    blocks = [Block("a", ("A",)), Block("b", ("B",)), Block("c", ("B",), page=1), Block("d", ("B",), page=2)]
    assert [p.text for p in passages_of(blocks)] == ["a", "b", "c", "d"]


def test_sentences_are_kept_whole() -> None:
    sentence = "This is a sentence about experts. "
    found = list(passages_of([Block(sentence * 100)]))
    assert all(p.text.endswith(".") for p in found)
    assert len(found) == 3


def test_chinese_counts_for_more() -> None:
    found = list(passages_of([Block("模型把词元交给专家。" * 200)]))
    assert max(len(p.text) for p in found) <= MAX_WEIGHT // 2.8
    assert all(p.text.endswith("。") for p in found)


def test_indentation_of_code_is_kept() -> None:
    code = "def f():\n" + "".join(f"    x{i} = {i}\n\n" for i in range(300))
    found = list(passages_of([Block(code, line=1)]))
    assert all(p.text.startswith("    x") for p in found[1:])
    lines = code.split("\n")
    for p in found:
        assert p.line is not None
        assert p.line_end is not None
        assert p.text == "\n".join(lines[p.line - 1 : p.line_end])


@given(st.text(alphabet="ab .\n。模é", max_size=6000))
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_and_nothing_is_too_long(text: str) -> None:
    found = list(passages_of([Block(text, line=1)]))
    assert "".join("".join(p.text.split()) for p in found) == "".join(text.split())
    assert all(len(p.text) <= MAX_WEIGHT + 2 for p in found)
    lines = text.split("\n")
    for p in found:
        assert p.line is not None
        assert p.line_end is not None
        assert p.text.split("\n")[0] in lines[p.line - 1]
        assert p.text.split("\n")[-1] in lines[p.line_end - 1]
