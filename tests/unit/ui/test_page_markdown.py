from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from pypdf import PdfReader
from PySide6.QtGui import QTextDocument

from ui import printing
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


def sections(n: int) -> str:
    said = "".join(f'<section class="user"><p>word{number}</p></section>' for number in range(n))
    return f"<html><head><title>A title</title></head><body>{said}</body></html>"


@pytest.mark.usefixtures("qapp")
def test_a_long_page_is_printed_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Qt leaves out what lies beyond its largest number of pixels."""
    monkeypatch.setattr(printing, "_MAX_CHARACTERS", 200)
    path = tmp_path / "long.pdf"
    assert print_pdf(sections(12), str(path))
    pages = PdfReader(path).pages
    said = " ".join(page.extract_text() for page in pages)
    assert all(f"word{number}" in said for number in range(12))
    assert len(pages) > 2
    assert PdfReader(path).metadata.title == "A title"  # type: ignore[union-attr]  # it has metadata
    monkeypatch.setattr(printing, "_MAX_HEIGHT", 2000)
    with pytest.raises(printing.TooLong):
        print_pdf(sections(1), str(tmp_path / "no.pdf"))
