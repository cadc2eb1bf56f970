"""A family of templates as one model's vocabulary spells it."""

from __future__ import annotations

from dataclasses import dataclass

from model_manager.engine.cursor import MarkerTokens, Vocabulary
from model_manager.engine.families import Family


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one model writes; any number of answers share it.

    Attributes:
        tokens: Which of its tokens are markers.
        feed: The tokens that end the reasoning when they are put into the model's mouth; none where there is
            no reasoning.
    """

    family: Family
    tokens: MarkerTokens
    feed: tuple[int, ...] = ()

    @property
    def thinks(self) -> bool:
        """Whether there is reasoning to tell from the answer."""
        return self.family.reasoning is not None


PLAIN = Dialect(Family("plain"), MarkerTokens())


def find_dialect(family: Family, vocabulary: Vocabulary) -> Dialect:
    """Look a family's markers up in the vocabulary of a model."""
    return Dialect(
        family,
        MarkerTokens(family.markers, vocabulary, family.hidden),
        tuple(vocabulary.tokenize(_feed_text(family), special=True)) if family.reasoning else (),
    )


def _feed_text(family: Family) -> str:
    """What ends the reasoning wherever the model is in it: a bare marker gets an empty line behind it."""
    is_bare = (
        family.style == "blocks" and family.reasoning and family.closing_text == family.reasoning.closing
    )
    return f"{family.closing_text}\n\n" if is_bare else family.closing_text
