"""What the window's pages about models show, made from what the floors below know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.discovering import Hit, Page
from app.fits import Judged
from app.machine import this_machine
from app.services import Services
from model_manager import catalogue
from model_manager.catalogue import CatalogueEntry
from model_manager.engine.room import total_main_memory_bytes
from model_manager.file_facts import FileFacts
from model_manager.fit_types import Machine, MemoryParts, Places
from model_manager.offers import Offer, verdict_by_size
from model_manager.types import HubFacts
from ui.i18n import language
from ui.library.card_html import card_html
from ui.library.values import (
    FileFigures,
    FitFigures,
    FoundModel,
    HubPage,
    MemoryUse,
    OfferLine,
    PartKind,
    Suggestion,
    Suggestions,
    TensorShare,
)

_GIB = 2**30
_BITS_OF_FOUR = 4.85
"""A weight takes so many in Q4_K_M, scales included."""
_CTX_CHOICES = (2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576)


def suggestions(verified: Mapping[str, Any], services: Services | None = None) -> Suggestions:
    """The catalogue for this machine; asks nobody.

    Args:
        verified: The setting `verified_models`.
        services: Who knows what is loaded; None where nothing is.
    """
    machine = this_machine(services)
    total_bytes = total_main_memory_bytes()
    return Suggestions(
        tuple(_suggestion(entry, machine, entry.repo_id in verified) for entry in catalogue.entries()),
        catalogue.tier_of(total_bytes / _GIB) or 0,
        total_bytes,
    )


def _suggestion(entry: CatalogueEntry, machine: Machine, is_verified: bool) -> Suggestion:
    return Suggestion(
        repo_id=entry.repo_id,
        tier_gib=entry.tier_gib,
        total_params=entry.total_params,
        active_params=entry.active_params,
        size_bytes=entry.size_bytes,
        license=entry.license,
        reasoning=entry.reasoning,
        character=entry.character.get(language(), entry.character["en"]),
        is_verified=is_verified,
        is_guessed=entry.repo_mark == "guessed",
        verdict=verdict_by_size(entry.size_bytes, machine),
    )


def found(hits: Iterable[Hit], services: Services | None = None) -> tuple[FoundModel, ...]:
    """What the hub has; where no header was read, a size in four bits is guessed from the parameters."""
    machine = this_machine(services)
    return tuple(_found(hit, machine) for hit in hits)


def _found(hit: Hit, machine: Machine) -> FoundModel:
    if hit.offer is not None:
        return FoundModel(hit.facts, hit.offer.verdict, hit.offer.label, hit.offer.size_bytes)
    size_bytes = int(hit.facts.total_params * _BITS_OF_FOUR / 8)
    return FoundModel(hit.facts, verdict_by_size(size_bytes, machine) if size_bytes else "", "", size_bytes)


def hub_page(page: Page) -> HubPage:
    """A repository; its card becomes harmless here, so that the window need not wait for that."""
    entry = catalogue.find(page.model.repo_id) if page.model.source == "hub" else None
    differences = catalogue.differences(entry, page.model) if entry is not None else ()
    return HubPage(
        facts=page.model.facts or HubFacts(page.model.repo_id),
        is_gated=page.model.is_gated,
        offers=tuple(map(_offer_line, page.shelf.offers)),
        projectors=page.shelf.projectors,
        incomplete=page.shelf.incomplete,
        card=card_html(page.card),
        is_in_catalogue=entry is not None,
        differences=tuple((other.what, other.expected, other.found) for other in differences),
    )


def _offer_line(offer: Offer) -> OfferLine:
    return OfferLine(
        label=offer.label,
        ref=offer.ref,
        size_bytes=offer.size_bytes,
        n_files=len(offer.files),
        grade=offer.quality.grade,
        perplexity_increase=offer.quality.perplexity_increase,
        verdict=offer.verdict,
        is_measured=offer.basis == "headers",
        is_recommended=offer.is_recommended,
    )


def fit_figures(ref: str, judged: Judged) -> FitFigures:
    """A judgement as the fit bar shows it."""
    answer, plan = judged.fit, judged.fit.plan
    longest = judged.model.header.n_ctx_train_tokens or judged.context.n_ctx_tokens
    return FitFigures(
        ref=ref,
        n_ctx_tokens=judged.context.n_ctx_tokens,
        cache_type=judged.context.cache_type_k,
        memory=memory_uses(judged.fit.places, judged.machine),
        total_bytes=answer.memory.total_bytes,
        verdict=answer.verdict,
        over_bytes=answer.paged_bytes,
        fits_ctx_tokens=answer.fits_ctx_tokens,
        plan_reason=plan.reason,
        n_cpu_expert_layers=plan.n_cpu_expert_layers,
        n_gpu_layers=plan.n_gpu_layers,
        total_params=answer.anatomy.total_params,
        active_params=answer.anatomy.active_params,
        decode_tokens_per_s=judged.forecast.decode_tokens_per_s,
        prefill_tokens_per_s=judged.forecast.prefill_tokens_per_s,
        basis=judged.forecast.basis,
        formula_bytes=judged.formula.total_bytes,
        context_reason=judged.context_reason,
        fits_file_bytes=judged.fits_file_bytes,
        ctx_choices=(*(n for n in _CTX_CHOICES if n < longest), longest),
    )


def memory_uses(places: Places, machine: Machine) -> tuple[MemoryUse, ...]:
    """The bars, one for each kind of memory that gets any part."""
    uses = []
    if machine.vram_bytes:
        uses.append(MemoryUse("device", machine.vram_bytes, 0, _shown(places.device)))
    total_bytes = max(machine.ram_bytes, machine.ram_total_bytes)
    uses.append(MemoryUse("main", total_bytes, total_bytes - machine.ram_bytes, _shown(places.ram)))
    if places.paged_bytes:
        uses.append(MemoryUse("disk", 0, 0, (("experts", places.paged_bytes),)))
    return tuple(uses)


def _shown(memory: MemoryParts) -> tuple[tuple[PartKind, int], ...]:
    parts: dict[PartKind, int] = {
        "attention": memory.attention_bytes,
        "experts": memory.experts_bytes,
        "kv": memory.kv_bytes,
        "compute": memory.compute_bytes,
        "other": memory.other_bytes,
    }
    return tuple((kind, n_bytes) for kind, n_bytes in parts.items() if n_bytes)


def file_figures(facts: FileFacts) -> FileFigures:
    """What a model's files say of themselves."""
    check = facts.template
    return FileFigures(
        license=facts.license,
        template_verdict=check.verdict,
        template_known_as=check.known_as,
        template_expected=check.expected,
        template_changes=tuple((change.at_line, change.n_missing, change.lines) for change in check.changes),
        shares=tuple(
            TensorShare(
                kind,
                found.size_bytes,
                found.bits_per_weight,
                tuple((name, share.n_tensors) for name, share in found.types.items()),
            )
            for kind, found in facts.classes.items()
        ),
    )
