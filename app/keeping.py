"""The library's larger jobs, for the window and for commands: importing from stores, and what follows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from app.engines import Engines
from model_manager import importing
from model_manager.duplicates import find_duplicates
from model_manager.importers import stores
from model_manager.importers.found import Variables
from model_manager.library import Library
from model_manager.moving import Moving
from model_manager.types import DuplicateGroup, ImportReport, ModelEntry, StoreInfo


class Keeping:
    """Works on the calling thread; may be called from several."""

    def __init__(self, library: Library, engines: Engines) -> None:
        self._library = library
        self._engines = engines
        self._moving = Moving(library)

    def stores(self) -> Sequence[StoreInfo]:
        """Programs whose models can be taken over, with their folders on this machine."""
        return stores.all_stores()

    def import_from(
        self,
        where: str,
        *,
        dry_run: bool = False,
        variables: Variables = os.environ.get,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> ImportReport:
        """Adds the models of a program or folder, see `importing.import_from`.

        Raises:
            StoreNotFound: There is no such store, or nothing of it on this machine.
            TransferCancelled: `cancelled()` was true; nothing was added.
        """
        return importing.import_from(
            self._library,
            where,
            dry_run=dry_run,
            variables=variables,
            progress=progress,
            cancelled=cancelled,
        )

    def duplicates(
        self,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> tuple[DuplicateGroup, ...]:
        """Entries whose files hold the same bytes, see `duplicates.find_duplicates`.

        Raises:
            TransferCancelled: `cancelled()` was true; what was computed before is kept.
        """
        return find_duplicates(self._library, progress, cancelled)

    def move(
        self,
        name: str,
        folder: Path,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> ModelEntry:
        """Moves a model's files and ends its worker, see `Moving.move`, whose errors it raises."""
        return self._moving.move(
            name,
            folder,
            progress=progress,
            cancelled=cancelled,
            on_switched=lambda: self._engines.unload(name),
        )

    def cancel_move(self, name: str) -> ModelEntry:
        """Undoes a move that was cut off.

        Raises:
            ModelNotFound: There is no such entry.
        """
        return self._moving.cancel(name)

    def settle(self) -> None:
        """Finishes what a killed program has left to delete; for the start."""
        self._moving.settle()
