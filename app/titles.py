"""A title for a conversation, made from its first question; no model is asked."""

from __future__ import annotations

import re

MAX_LENGTH = 60

_MARKUP = re.compile(r"```.*?(```|$)|!\[[^\]]*\]\([^)]*\)|[*_`#>~|]+", re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])|\n")


def title_from(text: str) -> str:
    """The first sentence without Markdown, cut at a word below `MAX_LENGTH` characters."""
    plain = _MARKUP.sub(" ", _LINK.sub(r"\1", text)).strip()
    first = " ".join(_SENTENCE_END.split(plain, maxsplit=1)[0].split())
    if not first:
        first = " ".join(text.split())
    if len(first) <= MAX_LENGTH:
        return first.rstrip(".。 ")
    cut = first[: MAX_LENGTH - 1]
    # Chinese has no spaces to cut at.
    at_word = cut.rfind(" ")
    return (cut[:at_word] if at_word > MAX_LENGTH // 2 else cut).rstrip(" ,;:，；：") + "…"
