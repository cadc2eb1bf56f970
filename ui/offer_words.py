"""What a quantization costs, and what a verdict means, in one plain line each."""

from __future__ import annotations

from ui import formats
from ui.i18n import tr


def quality(grade: str, perplexity_increase: float | None) -> str:
    """What is lost.

    Args:
        grade: As `model_manager.quantizations` has it.
        perplexity_increase: Named where it is known; it is that of one well-known model.
    """
    words = _grade(grade)
    if perplexity_increase is None or grade == "unknown":
        return words
    digits = 2 if perplexity_increase >= 0.05 else 3
    figure = formats.decimal(perplexity_increase, digits)
    return tr("{words} (perplexity +{figure})", words=words, figure=figure)


def _grade(grade: str) -> str:
    if grade == "exact":
        return tr("nothing is lost; twice the size of what serves as well")
    if grade == "same":
        return tr("no difference can be told")
    if grade == "near":
        return tr("hardly any difference")
    if grade == "good":
        return tr("a little is lost; the usual choice")
    if grade == "fair":
        return tr("a noticeable loss")
    if grade == "rough":
        return tr("a clear loss; only where nothing larger fits")
    if grade == "broken":
        return tr("much is lost; answers are often wrong")
    return tr("not known")


def verdict(name: str) -> str:
    """In two words, for a column."""
    if name == "fits":
        return tr("fits")
    if name == "tight":
        return tr("tight")
    if name == "pages":
        return tr("reads from disk")
    return tr("too large")


def reasoning(family: str) -> str:
    """How a model reasons, for a column; the names are those of the catalogue."""
    if family == "none":
        return tr("answers at once")
    if family == "harmony":
        return tr("reasons, in three strengths")
    if family == "effort":
        return tr("reasons, in strengths")
    return tr("reasons")


def difference(what: str, expected: str, found: str) -> str:
    """What a hub tells otherwise than the catalogue."""
    if what == "files":
        return tr("the hub has no model file there")
    if what == "architecture":
        return tr(
            "the hub calls its architecture {found}, the catalogue {expected}", found=found, expected=expected
        )
    return tr("the hub counts {found} parameters, the catalogue {expected}", found=found, expected=expected)
