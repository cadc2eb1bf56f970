"""Guessing ahead, in words."""

from __future__ import annotations

from ui.i18n import tr


def source(speculation: str) -> str:
    """Where guesses come from; `speculation` is a `LoadPlan.speculation`."""
    words = {
        "auto": tr("automatic"),
        "off": tr("off"),
        "lookup": tr("from the text before"),
        "draft": tr("by a draft model"),
        "mtp": tr("by the model's own layers for it"),
    }
    return words[speculation]
