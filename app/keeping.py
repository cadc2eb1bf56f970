"""The library's larger jobs, for the window and for commands: importing from stores, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.engines import Engines
from model_manager import importing
from model_manager.importers import stores
from model_manager.library import Library
from model_manager.types import ImportReport, StoreInfo


class Keeping:
    """Works on the calling thread; may be called from several."""

    def __init__(self, library: Library, engines: Engines) -> None:
        self._library = library
        self._engines = engines

    def stores(self) -> Sequence[StoreInfo]:
        """Programs whose models can be taken over, with their folders on this machine."""
        return stores.all_stores()

    def import_from(
        self,
        where: str,
        *,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> ImportReport:
        """Adds the models of a program or folder, see `importing.import_from`.

        Raises:
            StoreNotFound: There is no such store, or nothing of it on this machine.
            TransferCancelled: `cancelled()` was true; nothing was added.
        """
        return importing.import_from(
            self._library, where, dry_run=dry_run, progress=progress, cancelled=cancelled
        )
