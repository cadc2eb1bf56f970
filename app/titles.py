"""A title for a conversation, made from its first question; no model is asked."""

from __future__ import annotations

import re

MAX_LENGTH = 60

# What lies beyond cannot be in the title; a person may have pasted a book.
_LOOK_AT = 1_000
_FENCE = re.compile(r"```.*?(?:```|$)", re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}|>+|[-*+])[ \t]+", re.MULTILINE)
# Only in pairs around words: `my_name`, `C#` and `2 * 3` are none.
_EMPHASIS = re.compile(r"(?<!\w)(\*{1,3}|_{1,3}|~~|`+)(?=[^\s*_~`])(.+?)(?<=\S)\1(?!\w)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])|\n")


def title_from(text: str) -> str:
    """The first sentence without Markdown, cut at a word below `MAX_LENGTH` characters."""
    plain = _IMAGE.sub(" ", _FENCE.sub(" ", text)[:_LOOK_AT])
    plain = _LINE_MARK.sub("", _LINK.sub(r"\1", plain))
    plain = _EMPHASIS.sub(r"\2", plain).strip()
    first = " ".join(_SENTENCE_END.split(plain, maxsplit=1)[0].split())
    if not first:
        first = " ".join(text[:_LOOK_AT].split())
    if len(first) <= MAX_LENGTH:
        return first.rstrip(".:。： ") or first
    cut = first[: MAX_LENGTH - 1]
    # Chinese has no spaces to cut at.
    at_word = cut.rfind(" ")
    return (cut[:at_word] if at_word > MAX_LENGTH // 2 else cut).rstrip(" ,;:，；：") + "…"
