"""Markdown as HTML for pages that leave the program: nothing in it runs, and nothing is loaded.

HTML that a model or a person wrote stays text; a link leads to the web, to mail, or nowhere; an image,
which a browser would fetch, becomes a link.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

_SCHEMES = ("http://", "https://", "mailto:", "#")


def to_html(text: str) -> str:
    """The rendered text; needs nothing but its own bytes to be shown."""
    return str(_parser().render(text))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: url.strip().lower().startswith(_SCHEMES)  # type: ignore[method-assign]  # its documented way
    parser.add_render_rule("image", _image)
    parser.add_render_rule("link_open", _link_open)
    return parser


def _image(
    _renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    _options: OptionsDict,
    _env: MutableMapping[str, Any],
) -> str:
    address = escapeHtml(str(tokens[place].attrGet("src") or ""))
    return f'<a href="{address}" rel="noreferrer">{escapeHtml(tokens[place].content) or address}</a>'


def _link_open(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    place: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    tokens[place].attrSet("rel", "noreferrer")
    return renderer.renderToken(tokens, place, options, env)
