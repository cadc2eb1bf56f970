"""The words in exports that are made to be read; they come from above, in the person's language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """Words.

    Attributes:
        untitled: Stands for a title that is not there.
        unfinished: Below an answer that was cut off.
        image: Before the name of an image where it cannot be shown.
        file: Before the name of a file.
        tool_call: Before the name of a tool that was used.
        tool_result: Above what came of it.
        language: Of these words, as HTML names it, such as "en" or "zh-CN".
    """

    user: str
    assistant: str
    system: str
    reasoning: str
    untitled: str
    unfinished: str
    image: str
    file: str
    tool_call: str
    tool_result: str
    language: str = "en"
