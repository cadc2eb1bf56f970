"""Looking for models where they are, and which of them this machine can run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from app.machine import this_machine
from app.services import Services
from model_manager.best_fit import Wishes, best_fit
from model_manager.errors import (
    AccessDenied,
    HubError,
    InvalidReference,
    ModelFileError,
    ModelManagerError,
    NotOnHub,
    UnsafeFilename,
)
from model_manager.fit_types import Machine
from model_manager.hub import SearchOrder
from model_manager.offers import Offer, Shelf, by_preference, recommended, shelf_of
from model_manager.quantizations import quality_of
from model_manager.references import HubReference, UrlReference, label, parse
from model_manager.remote_model import read_remote
from model_manager.types import HubFacts, HubFile, HubModel, Source

log = logging.getLogger(__name__)

_SMALLEST_BITS = 2
"""A weight takes no less in any quantization worth running."""
_MOST_HEADERS = 2
"""Read for one search result: a second one only where the size has misled."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One repository that was found.

    Attributes:
        offer: The model in it to take here; None where that was not asked.
    """

    facts: HubFacts
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to know of a repository before anything of it is downloaded.

    Attributes:
        card: Its text, as Markdown that nobody has checked.
    """

    model: HubModel
    shelf: Shelf
    card: str


def search(
    services: Services,
    text: str,
    *,
    source: Source = "hub",
    author: str | None = None,
    sort: SearchOrder = "downloads",
    license_name: str | None = None,
    moe_only: bool = False,
    reasoning_only: bool = False,
    fits_only: bool = False,
    limit: int = 20,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Hit]:
    """Repositories with GGUF files, as `Hub.search` takes them.

    With `fits_only`, of those that the hub gives, only what runs here: the lists of their files are
    asked for, and a header of each, which takes about a second for each of them. Once `cancelled` says so,
    no more of them are looked at.

    Raises:
        ModelManagerError: The hub does not answer, or nothing sensible.
    """
    found = services.sources.search(
        text,
        source=source,
        author=author,
        sort=sort,
        license_name=license_name,
        moe_only=moe_only,
        reasoning_only=reasoning_only,
        limit=limit,
    )
    if not fits_only:
        return [Hit(facts) for facts in found]
    machine = this_machine(services)
    hits = []
    for facts in found:
        if cancelled():
            break
        offer = _first_that_fits(services, facts, machine)
        if offer is not None:
            hits.append(Hit(facts, offer))
    return hits


def page(services: Services, ref: str, *, with_headers: bool = False, card: bool = True) -> Page:
    """Look at a repository.

    Args:
        services: Where the hub is.
        ref: `owner/repo`, also with a quantization or a file (then only that is shown), or its address.
        with_headers: Judge each quantization by its header, not by its size.
        card: Get the card, too.

    Raises:
        InvalidReference: It is no repository, or has no such file.
        ModelManagerError: The hub does not answer, or nothing sensible.
    """
    reference = parse(ref, services.sources.endpoint)
    if not isinstance(reference, HubReference):
        return _page_of_file(services, reference)
    model = services.sources.model_info(reference)
    machine = this_machine(services)
    shelf = shelf_of(model, machine)
    offers: Sequence[Offer] = _meant(reference, shelf.offers)
    if with_headers:
        offers = [_judged(services, model, offer, machine) for offer in offers]
    shelf = replace(shelf, offers=recommended(offers))
    return Page(model, shelf, _card(services, model) if card else "")


def _page_of_file(services: Services, reference: UrlReference) -> Page:
    """One file at some address: only its own header tells of it."""
    item = services.sources.resolve(reference.ref)
    found = read_remote(item, services.sources, services.http)
    machine = this_machine(services)
    judged = best_fit(found, machine, Wishes()).fit
    name = label(item.files[0].path)
    file = HubFile(item.files[0].path, found.size_bytes, reference.sha256)
    offer = Offer(name, reference.ref, (file,), quality_of(name), judged.verdict, "headers")
    address = reference.url.partition("?")[0]
    facts = HubFacts(
        address,
        architecture=found.header.architecture,
        total_params=judged.anatomy.total_params,
        n_ctx_train_tokens=found.header.n_ctx_train_tokens or 0,
        is_moe=bool(found.header.n_experts),
    )
    return Page(HubModel(address, "", (file,), facts=facts), Shelf(recommended([offer]), (), ()), "")


def _meant(reference: HubReference, offers: Sequence[Offer]) -> Sequence[Offer]:
    wanted = (reference.quantization or "").upper()
    found = [
        offer
        for offer in offers
        if (not wanted or offer.label.upper() == wanted)
        and (reference.path is None or any(file.path == reference.path for file in offer.files))
    ]
    if offers and not found:
        raise InvalidReference(reference.ref, tuple(offer.label for offer in offers))
    return found


def _card(services: Services, model: HubModel) -> str:
    try:
        return services.sources.card(model)
    except ModelManagerError as error:
        log.info("%s: the card cannot be read: %s", model.repo_id, error)
        return ""


def _judged(services: Services, model: HubModel, offer: Offer, machine: Machine) -> Offer:
    try:
        found = read_remote(services.sources.item_of(model, offer.files), services.sources, services.http)
        verdict = best_fit(found, machine, Wishes()).fit.verdict
    except (ModelFileError, UnsafeFilename, HubError) as error:
        log.info("%s is judged by its size: %s", offer.ref, error)
        return replace(offer, basis="unreadable")
    return replace(offer, verdict=verdict, basis="headers")


def _first_that_fits(services: Services, facts: HubFacts, machine: Machine) -> Offer | None:
    room = machine.ram_bytes + machine.vram_bytes
    if facts.total_params * _SMALLEST_BITS // 8 > room:
        return None
    try:
        model = services.sources.of(facts.source).model_info(facts.repo_id)
    except (AccessDenied, NotOnHub, InvalidReference) as error:
        log.info("%s cannot be looked at: %s", facts.repo_id, error)
        return None
    return next(_that_fit(services, model, machine), None)


def _that_fit(services: Services, model: HubModel, machine: Machine) -> Iterator[Offer]:
    for offer in by_preference(shelf_of(model, machine).offers)[:_MOST_HEADERS]:
        judged = _judged(services, model, offer, machine)
        if judged.verdict in ("fits", "tight") and judged.basis != "unreadable":
            yield judged
