"""The card of a model as rich text that cannot do anything: made from our own parts, all text escaped.

No picture, no style and no script of the author's survives; links are marked, and open only where a person
clicks on one that leads to a web page.
"""

from __future__ import annotations

from html import escape

from ui.chat.markdown import PieceSpec, Span
from ui.plain_card import card_pieces, printable

_MOST_PIECES = 600
_LIST_INDENT_PX = 18


def card_html(markdown: str) -> str:
    """Headings, paragraphs, lists, tables and code for a `QTextDocument`; "" for a card without text.

    Takes up to some tenths of a second for the longest cards; needs no Qt.
    """
    pieces = card_pieces(markdown)
    return "".join(_html(piece) for piece in pieces[:_MOST_PIECES])


def _html(piece: PieceSpec) -> str:
    depth = len(piece.containers)
    indent = f"margin-left:{_LIST_INDENT_PX * depth}px;" if depth else ""
    above = 2 if piece.is_tight else 8
    style = f'style="{indent}margin-top:{above}px;margin-bottom:2px"'
    if piece.kind == "rule":
        return "<hr>"
    if piece.kind in ("code", "maths"):
        return f"<pre {style}>{escape(printable(piece.text))}</pre>"
    if piece.kind == "table":
        return _table(piece)
    marker = f"{escape(piece.marker)} " if piece.marker else ""
    words = marker + "".join(map(_span, piece.spans))
    if piece.kind == "heading":
        level = min(6, piece.level + 1)
        return f"<h{level} {style}>{words}</h{level}>"
    return f"<p {style}>{words}</p>"


def _table(piece: PieceSpec) -> str:
    rows = []
    for number, row in enumerate(piece.rows):
        tag = "th" if number == 0 else "td"
        cells = "".join(f'<{tag} align="left">{"".join(map(_span, cell))}</{tag}>' for cell in row)
        rows.append(f"<tr>{cells}</tr>")
    return f'<p></p><table border="1" cellspacing="0" cellpadding="4">{"".join(rows)}</table><p></p>'


def _span(span: Span) -> str:
    html = escape(printable(span.text)).replace("\n", "<br>")
    for tag, is_on in (("b", span.bold), ("i", span.italic), ("s", span.strike)):
        if is_on:
            html = f"<{tag}>{html}</{tag}>"
    if span.code or span.maths:
        html = f"<code>{html}</code>"
    if span.href is not None:
        html = f'<a href="{escape(span.href)}">{html}</a>'
    return html
