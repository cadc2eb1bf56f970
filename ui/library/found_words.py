"""What the hub and the catalogue have, as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_manager.types import HubFacts
from ui import formats, offer_words
from ui.i18n import tr
from ui.library.faces import Badge, Face, Tone
from ui.library.values import FoundModel, OfferLine, Suggestion, Suggestions

_TONES: dict[str, Tone] = {"fits": "success", "tight": "warning", "pages": "warning", "does_not_fit": "error"}


def verdict_badge(verdict: str) -> Badge:
    """Whether it runs here, in a word or two."""
    return Badge(offer_words.verdict(verdict), _TONES.get(verdict, "text_muted"))


def facts_line(facts: HubFacts) -> str:
    """How much it is used, how new it is, and under which terms."""
    parts = []
    if facts.architecture:
        parts.append(facts.architecture)
    parts.append(f"↓ {formats.number(facts.downloads)}")
    parts.append(f"♥ {formats.number(facts.likes)}")
    if facts.modified_at:
        parts.append(facts.modified_at[:10])
    parts.append(facts.license or tr("licence not told"))
    return " · ".join(parts)


def found_faces(found: Sequence[FoundModel]) -> list[Face]:
    """A row for each repository."""
    return [_found_face(model) for model in found]


def _found_face(model: FoundModel) -> Face:
    facts = model.facts
    badges = []
    if model.verdict:
        badges.append(verdict_badge(model.verdict))
    if facts.is_moe:
        badges.append(Badge(tr("experts"), "accent"))
    if facts.is_reasoning:
        badges.append(Badge(tr("reasons")))
    if facts.is_gated:
        badges.append(Badge(tr("terms to accept"), "warning"))
    size = ""
    if model.offer_bytes:
        amount = formats.size(model.offer_bytes)
        size = f"{model.offer}  {amount}" if model.offer else tr("about {size} in 4 bits", size=amount)
    line = facts_line(facts)
    if facts.total_params:
        line = f"{tr('{n} parameters', n=formats.count(facts.total_params))} · {line}"
    return Face(facts.ref, facts.repo_id, tuple(badges), (line,), size)


def suggestion_faces(suggestions: Suggestions) -> list[Face]:
    """A heading for each size of machine, the models that suit it below, this machine's first."""
    tiers = sorted({entry.tier_gib for entry in suggestions.entries})
    own = suggestions.tier_gib
    order = [tier for tier in reversed(tiers) if tier <= own] + [tier for tier in tiers if tier > own]
    return [face for tier in order for face in _tier(suggestions, tier)]


def _tier(suggestions: Suggestions, tier_gib: int) -> Iterator[Face]:
    title = tr("For {n} GiB of memory and more", n=tier_gib)
    if tier_gib == suggestions.tier_gib:
        title = tr("For this computer ({n} GiB and more)", n=tier_gib)
    elif tier_gib > suggestions.tier_gib:
        title = tr("For computers with {n} GiB", n=tier_gib)
    yield Face(None, title)
    for entry in suggestions.entries:
        if entry.tier_gib == tier_gib:
            yield _suggestion_face(entry)


def _suggestion_face(entry: Suggestion) -> Face:
    badges = [verdict_badge(entry.verdict)] if entry.verdict else []
    if entry.is_verified:
        badges.append(Badge(tr("verified"), "success"))
    elif entry.is_guessed:
        badges.append(Badge(tr("name not verified")))
    else:
        badges.append(Badge(tr("not verified")))
    facts = [
        tr(
            "{total} parameters, {active} active",
            total=formats.count(entry.total_params),
            active=formats.count(entry.active_params),
        ),
        offer_words.reasoning(entry.reasoning),
        entry.license or tr("licence not told"),
    ]
    return Face(
        entry.repo_id,
        entry.repo_id,
        tuple(badges),
        (entry.character, " · ".join(facts)),
        tr("about {size}", size=formats.size(entry.size_bytes)),
    )


def offer_faces(offers: Sequence[OfferLine]) -> list[Face]:
    """A row for each quantization."""
    return [_offer_face(offer) for offer in offers]


def _offer_face(offer: OfferLine) -> Face:
    badges = [verdict_badge(offer.verdict)]
    if offer.is_recommended:
        badges.insert(0, Badge(tr("recommended here"), "accent"))
    if offer.n_files > 1:
        badges.append(Badge(tr("{n} files", n=offer.n_files)))
    quality = offer_words.quality(offer.grade, offer.perplexity_increase)
    return Face(
        offer.ref,
        offer.label,
        tuple(badges),
        (tr("Quality: {words}", words=quality),),
        formats.size(offer.size_bytes),
    )
