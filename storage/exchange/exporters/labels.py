"""The words in exports that are made to be read; they come from above, in the person's language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """Words.

    Attributes:
        untitled: Stands for a title that is not there.
        unfinished: Below an answer that was cut off.
        images: Above the names of images where they cannot be shown.
        language: Of these words, as HTML names it, such as "en" or "zh-CN".
    """

    user: str
    assistant: str
    system: str
    reasoning: str
    untitled: str
    unfinished: str
    images: str
    language: str = "en"
