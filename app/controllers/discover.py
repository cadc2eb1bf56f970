"""The use case of the Discover page: the catalogue, the hub's search, and whether a model fits."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import cast

from PySide6.QtCore import QObject, Signal

from app import discovering, fits, pages
from app.bridge import Bridge
from app.services import Services
from model_manager.best_fit import Wishes
from model_manager.shards import GgufModel
from model_manager.types import KvType
from ui.library.values import FitFigures, FoundModel, HubPage, SearchWish

log = logging.getLogger(__name__)

_HEADERS_KEPT = 12


class DiscoverController(QObject):
    """Asks the hub off the Qt thread. Of what was asked for twice, only the newest answer is told.

    Signals:
        suggested: `Suggestions`.
        found: Tuple of `FoundModel`.
        search_failed: Exception, for a sentence.
        page_found: `HubPage`.
        page_failed: Exception, for a sentence.
        fit_found: `FitFigures`.
        fit_failed: Reference, exception.
    """

    suggested = Signal(object)
    found = Signal(object)
    search_failed = Signal(object)
    page_found = Signal(object)
    page_failed = Signal(object)
    fit_found = Signal(object)
    fit_failed = Signal(str, object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._bridge = bridge
        self._newest = {"search": 0, "page": 0, "fit": 0}
        self._headers = _Headers(services)

    def suggest(self) -> None:
        """Tell the catalogue; needs no network."""
        self._bridge.run(
            lambda: pages.suggestions(self._services.setting("verified_models"), self._services),
            self.suggested.emit,
        )

    def search(self, wish: SearchWish) -> None:
        """Look for models on the hub."""
        ticket = self._ticket("search")

        def work() -> tuple[FoundModel, ...]:
            hits = discovering.search(
                self._services,
                wish.text,
                source=wish.source,
                author=wish.author or None,
                sort=wish.sort,
                license_name=wish.license_name or None,
                moe_only=wish.moe_only,
                reasoning_only=wish.reasoning_only,
                fits_only=wish.fits_only,
                limit=wish.limit,
                cancelled=lambda: self._newest["search"] != ticket,
            )
            return pages.found(hits, self._services)

        def done(found: tuple[FoundModel, ...]) -> None:
            if self._newest["search"] == ticket:
                self.found.emit(found)

        def failed(error: Exception) -> None:
            if self._newest["search"] == ticket:
                self.search_failed.emit(error)

        self._bridge.run(work, done, failed)

    def open(self, ref: str) -> None:
        """Look at a repository."""
        ticket = self._ticket("page")

        def done(page: HubPage) -> None:
            if self._newest["page"] == ticket:
                self.page_found.emit(page)
                if page.is_in_catalogue:
                    self.suggest()  # the hub may just have confirmed an entry

        def failed(error: Exception) -> None:
            if self._newest["page"] == ticket:
                self.page_failed.emit(error)

        self._bridge.run(lambda: pages.hub_page(discovering.page(self._services, ref)), done, failed)

    def judge(self, ref: str, n_ctx_tokens: int, cache_type: str) -> None:
        """Read the headers of a model, and tell whether it fits.

        Args:
            ref: As an offer has it.
            n_ctx_tokens: 0 for the usual.
            cache_type: Of keys and values.
        """
        ticket = self._ticket("fit")
        kv = cast("KvType", cache_type)
        # At first nobody has chosen anything, so what serves best is chosen.
        wishes = Wishes(n_ctx_tokens, kv if n_ctx_tokens else None)

        def work() -> FitFigures:
            name, model = self._headers.of(ref)
            return pages.fit_figures(ref, fits.judged(self._services, name, model, wishes))

        def done(figures: FitFigures) -> None:
            if self._newest["fit"] == ticket:
                self.fit_found.emit(figures)

        def failed(error: Exception) -> None:
            if self._newest["fit"] == ticket:
                self.fit_failed.emit(ref, error)

        self._bridge.run(work, done, failed)

    def close(self) -> None:
        """Nothing that is under way is wanted any more."""
        for kind in self._newest:
            self._ticket(kind)

    def _ticket(self, kind: str) -> int:
        self._newest[kind] += 1
        return self._newest[kind]


class _Headers:
    """Those that were read last, so that another context is judged at once. May be used from any thread."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, GgufModel]] = OrderedDict()

    def of(self, ref: str) -> tuple[str, GgufModel]:
        """Name and headers of a model.

        Raises:
            ModelManagerError: As `fits.find`.
        """
        with self._lock:
            if ref in self._kept:
                self._kept.move_to_end(ref)
                return self._kept[ref]
        found = fits.find(self._services, ref)
        with self._lock:
            self._kept[ref] = found
            while len(self._kept) > _HEADERS_KEPT:
                self._kept.popitem(last=False)
        return found
