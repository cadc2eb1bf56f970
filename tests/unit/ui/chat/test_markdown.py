"""What Markdown shows: kinds, styles, links; nothing raw, nothing fetched."""

from __future__ import annotations

import pytest

from ui.chat.blocks import split
from ui.chat.markdown import PieceSpec, Span, is_openable, parse_block, plain_spec


def specs(text: str) -> list[PieceSpec]:
    return [spec for block in split(text) for spec in parse_block(block)]


def styles(text: str) -> list[Span]:
    return list(specs(text)[0].spans)


def test_inline_styles() -> None:
    assert styles("a **b** *c* ~~d~~ `e`") == [
        Span("a "), Span("b", bold=True), Span(" "), Span("c", italic=True), Span(" "),
        Span("d", strike=True), Span(" "), Span("e", code=True),
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["$x^2$", r"\(x^2\)"])
def test_inline_maths(source: str) -> None:
    assert Span("x^2", maths="inline") in styles(f"so {source} is")


@pytest.mark.parametrize(
    "source", ["$$x$$", "$$\nx\n$$", r"\[x\]", "\\[\nx\n\\]", "- a\n\n  $$\n  x\n  $$", "a $$x$$ b"]
)
def test_display_maths(source: str) -> None:
    assert "x" in [spec.text for spec in specs(source) if spec.kind == "maths"]


def test_money_is_not_maths() -> None:
    assert not any(span.maths for span in styles("It costs $5 and $6."))


def test_html_is_text() -> None:
    assert "".join(span.text for span in styles("<script>alert(1)</script> <b>x</b>")).startswith("<script>")


def test_images_become_links_with_their_alternative_text() -> None:
    (span,) = [span for span in styles("see ![a cat](https://e.org/cat.png)") if span.href]
    assert span.text.endswith("a cat")
    assert span.href == "https://e.org/cat.png"


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "ftp://a", "x.md"]
)
def test_only_web_and_mail_links_open(target: str) -> None:
    assert not is_openable(target)
    assert not any(span.href for span in styles(f"[x]({target})"))


def test_bare_addresses_become_links_without_their_full_stop() -> None:
    assert [span.href for span in styles("(see https://a.b/c_(d).)") if span.href] == ["https://a.b/c_(d)"]
    assert [span.href for span in plain_spec("https://a.b，然后").spans if span.href] == ["https://a.b"]


def test_lists_nest_and_count() -> None:
    found = specs("5. a\n   - b\n   - c\n9. d")
    assert [(spec.marker, len(spec.containers)) for spec in found] == [
        ("5.", 1),
        ("•", 2),
        ("•", 2),
        ("6.", 1),
    ]


def test_tasks_have_boxes() -> None:
    assert [spec.marker for spec in specs("- [x] a\n- [ ] b\n- c")] == ["[x]", "[ ]", "•"]


def test_a_table_has_cells_and_alignment() -> None:
    (table,) = specs("| a | b |\n|:-:|--:|\n| 1 | **2** |")
    assert table.aligns == ("center", "right")
    assert table.rows[1][1] == (Span("2", bold=True),)


def test_code_knows_its_language_and_keeps_its_indent() -> None:
    (code,) = specs("```python title=x\n  a\n\n b\n```")
    assert (code.language, code.text) == ("python", "  a\n\n b")


def test_quotes_inside_lists_inside_quotes() -> None:
    assert specs("> - a\n>   > b")[-1].containers == ("quote", "list", "quote")


@pytest.mark.parametrize(
    "text",
    [
        "> " * 500 + "x",
        "- " * 500 + "x",
        "[" * 4000,
        "![](" * 1500,
        "*a **b " * 800,
        "`" * 4001,
        "\0\0",
        "|" * 4000,
        "$" * 4000,
    ],
)
def test_hostile_text_is_shown_somehow(text: str) -> None:
    specs(text)
