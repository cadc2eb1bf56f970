"""A card as rich text: what its author wrote is shown, and can do nothing."""

from __future__ import annotations

import pytest

from ui.library.card_html import card_html


def test_a_card_keeps_its_form() -> None:
    html = card_html(
        "# Title\n\nSome **bold** and `code`.\n\n- one\n- two\n\n```\na < b\n```\n\n|a|b|\n|-|-|\n|1|2|\n"
    )
    assert "<h2" in html
    assert "<b>bold</b>" in html
    assert "<code>code</code>" in html
    assert "• one" in html
    assert "a &lt; b" in html
    assert "<th" in html
    assert ">2</td>" in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src='http://example.org/x.png'>",
        "![x](http://example.org/x.png)",
        "<style>body{background:url(http://example.org/x)}</style>",
        "[click](javascript:alert(1))",
        "[click](file:///etc/passwd)",
        '[x](https://example.org/"onmouseover="alert(1))',
        "&lt;img src=x&gt;",
        "`<img src=x>`",
    ],
)
def test_nothing_of_it_loads_or_runs(hostile: str) -> None:
    html = card_html(f"Before {hostile} after")
    assert "<img" not in html
    assert "<script" not in html
    assert "<style" not in html
    assert 'href="javascript' not in html
    assert 'href="file' not in html
    assert 'onmouseover="' not in html


def test_a_card_without_text_is_empty() -> None:
    assert card_html("") == ""
    assert card_html("---\nlicense: mit\n---\n") == ""
