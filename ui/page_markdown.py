"""Markdown as HTML for pages that leave the program: nothing in it runs, and nothing is loaded.

HTML that a model or a person wrote stays text; a link leads to the web, to mail, or nowhere; an image,
which a browser would fetch, becomes a link. Formulas are set, as pictures in the page. Each block runs in
the direction of its own first letter, and code from left to right.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from ui.maths_syntax import add_maths

_SCHEMES = ("http://", "https://", "mailto:", "#")
_BLOCKS = ("paragraph_open", "heading_open", "td_open", "th_open")
# Qt's paper counts pixels; its text has ten points.
_PAPER_EM_PX = 13.3

_Env = MutableMapping[str, Any]


def to_html(text: str) -> str:
    """The rendered text; needs nothing but its own bytes to be shown."""
    return str(_parser().render(text, {}))


def to_paper_html(text: str) -> str:
    """The same in what Qt's rich text understands."""
    return str(_parser().render(text, {"is_paper": True}))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    add_maths(parser)
    parser.validateLink = lambda url: url.strip().lower().startswith(_SCHEMES)  # type: ignore[method-assign]  # its documented way
    parser.core.ruler.push("attributes", _set_attributes)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("link_open", _link_open)
    for name in ("fence", "code_block"):
        parser.add_render_rule(name, _code)
    for name in ("math_inline", "math_inline_double", "math_block"):
        parser.add_render_rule(name, _maths)
    return parser


def _set_attributes(state: StateCore) -> None:
    for block, content in zip(state.tokens, state.tokens[1:], strict=False):
        if block.type in _BLOCKS and content.type == "inline":
            block.attrSet("dir", _direction(content.content))
    if state.env.get("is_paper"):
        for token in state.tokens:
            if token.type == "table_open":  # lines that Qt draws around cells with a style of their own, too
                token.attrSet("border", "1")
                token.attrSet("cellspacing", "0")


def _direction(text: str) -> str:
    """Of the first letter that has one; Qt's rich text knows no "auto"."""
    kinds = map(unicodedata.bidirectional, text)
    first = next((kind for kind in kinds if kind in ("L", "R", "AL")), "L")
    return "ltr" if first == "L" else "rtl"


def _image(
    _renderer: RendererHTML, tokens: Sequence[Token], place: int, _options: OptionsDict, _env: _Env
) -> str:
    address = escapeHtml(str(tokens[place].attrGet("src") or ""))
    return f'<a href="{address}" rel="noreferrer">{escapeHtml(tokens[place].content) or address}</a>'


def _link_open(
    renderer: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: _Env
) -> str:
    tokens[place].attrSet("rel", "noreferrer")
    return renderer.renderToken(tokens, place, options, env)


def _code(
    _renderer: RendererHTML, tokens: Sequence[Token], place: int, _options: OptionsDict, _env: _Env
) -> str:
    return f'<pre dir="ltr"><code>{escapeHtml(tokens[place].content)}</code></pre>\n'


def _maths(
    _renderer: RendererHTML, tokens: Sequence[Token], place: int, _options: OptionsDict, env: _Env
) -> str:
    from ui.chat.maths import CannotSet, typeset  # its fonts, only where there are formulas

    token = tokens[place]
    latex, is_display = token.content.strip(), token.type != "math_inline"
    source = escapeHtml(f"$${latex}$$" if is_display else f"${latex}$")
    try:
        formula = typeset(latex, is_display=is_display)
    except CannotSet:
        picture = f"<code>{source}</code>"
    else:
        height_em = formula.ascent_em + formula.descent_em
        if env.get("is_paper"):
            size = f'width="{formula.width_em * _PAPER_EM_PX:.0f}" height="{height_em * _PAPER_EM_PX:.0f}"'
            shape = f'{size} style="vertical-align: middle"'
        else:
            shape = f'style="height: {height_em:.3f}em; vertical-align: -{formula.descent_em:.3f}em"'
        data = base64.b64encode(formula.svg.encode()).decode()
        picture = f'<img class="maths" alt="{source}" {shape} src="data:image/svg+xml;base64,{data}">'
    return f'<p dir="ltr">{picture}</p>\n' if token.type == "math_block" else picture
