from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from PySide6.QtGui import QTextDocument

from ui.page_markdown import to_html, to_paper_html
from ui.printing import _Paper, print_pdf

PICTURE = re.compile(r'<img class="maths" alt="([^"]*)" [^>]*src="data:image/svg\+xml;base64,([^"]*)">')


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("so $t \\propto k/n$ holds", "$t \\propto k/n$"),
        ("so \\(t \\propto k/n\\) holds", "$t \\propto k/n$"),
        ("$$\n\\int_0^1 x^2\\,dx\n$$", "$$\\int_0^1 x^2\\,dx$$"),
        ("\\[\n\\frac{1}{3}\n\\]", "$$\\frac{1}{3}$$"),
    ],
)
@pytest.mark.parametrize("render", [to_html, to_paper_html])
def test_formulas_are_pictures_that_keep_their_source(text: str, source: str, render: object) -> None:
    assert callable(render)
    ((alt, data),) = PICTURE.findall(render(text))
    assert alt == source
    assert base64.b64decode(data).startswith(b"<svg")


def test_what_cannot_be_set_stands_as_it_was_written() -> None:
    assert to_html("a $\\frac{1}{$ b") == '<p dir="ltr">a <code>$\\frac{1}{$</code> b</p>\n'
    assert "<b>" not in to_html("$\\frac{<b>}{$")
    assert to_html("it costs $5 or $6") == '<p dir="ltr">it costs $5 or $6</p>\n'


def test_each_block_runs_in_its_own_direction_and_code_from_the_left() -> None:
    page = to_html(
        "مرحبا English\n\n`x` Latin\n\n# 12 שלום\n\n| א | b |\n|---|---|\n| 1 | ב |\n\n```\nשלום\n```"
    )
    directions = re.findall(r'<(\w+) dir="(\w+)">', page)
    assert directions == [
        ("p", "rtl"),
        ("p", "ltr"),
        ("h1", "rtl"),
        ("th", "rtl"),
        ("th", "ltr"),
        ("td", "ltr"),
        ("td", "rtl"),
        ("pre", "ltr"),
    ]


@pytest.mark.usefixtures("qapp")
def test_paper_draws_formulas_finely_and_loads_nothing_else(tmp_path: Path) -> None:
    page = to_paper_html("$$x^2$$\n\n| a |\n|---|\n| b |")
    assert '<table border="1"' in page
    paper = _Paper()
    paper.setHtml(page)
    address = page[page.index("data:") : page.index('">', page.index("data:"))]
    image = paper.loadResource(QTextDocument.ResourceType.ImageResource.value, address)
    assert not image.isNull()  # type: ignore[attr-defined]  # Qt's own kind of anything
    assert print_pdf(f"<html><body>{page}</body></html>", str(tmp_path / "x.pdf"))
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")
