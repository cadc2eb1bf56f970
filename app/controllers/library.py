"""The use case of the library's page: what there is, adding, checking and removing models."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app import fits, pages
from app.bridge import Bridge, Latest
from app.services import Services
from model_manager.best_fit import Wishes
from model_manager.errors import ModelFileError, ModelManagerError
from model_manager.file_facts import facts_of
from model_manager.measured_memory import kept_measured
from model_manager.types import ModelEntry
from ui.library.values import ModelFigures, Shelf

log = logging.getLogger(__name__)


class LibraryController(QObject):
    """Works on the library off the Qt thread.

    Signals:
        listed: `Shelf`.
        figured: Name, `ModelFigures`; twice for one model, first without what takes longer.
        progressed: Name of a model that is being verified, per mille; None when it has ended.
        added: ModelEntry, after an import.
        verified: ModelEntry, whose bytes are what they should be.
        removed: Name.
        failed: Exception, for a sentence.
    """

    listed = Signal(object)
    figured = Signal(str, object)
    progressed = Signal(str, object)
    added = Signal(object)
    verified = Signal(object)
    removed = Signal(str)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._library = services.library
        self._bridge = bridge
        self._is_closed = False
        services.subscribe_downloads(lambda _snapshot: bridge.post(self.refresh))

    def refresh(self) -> None:
        """Read the list anew."""
        self._bridge.run(self.shelf, self.listed.emit, self.failed.emit)

    def shelf(self) -> Shelf:
        """The list as it is now; may be called from any thread."""
        folder = self._library.models_dir
        return Shelf(tuple(self._library.list()), folder, free_bytes_of(folder))

    def figure(self, name: str) -> None:
        """Tell what is known of a model: by the formulas, by llama.cpp, and as measured."""

        def formulas_done(figures: ModelFigures) -> None:
            self.figured.emit(name, figures)
            if figures.failure is None:
                self._bridge.run(lambda: self._probed(name, figures), probe_done)

        def probe_done(figures: ModelFigures) -> None:
            self.figured.emit(name, figures)

        self._bridge.run(lambda: self._by_formulas(name), formulas_done, self.failed.emit)

    def annotate(self, name: str, tags: Sequence[str], note: str) -> None:
        """Keep a person's words about a model."""
        self._bridge.run(
            lambda: self._library.annotate(name, tags=tags, note=note),
            lambda _entry: self.refresh(),
            self.failed.emit,
        )

    def import_path(self, path: str) -> None:
        """Add a file where it is."""

        def done(entry: ModelEntry) -> None:
            self.refresh()
            self.added.emit(entry)

        self._bridge.run(lambda: self._library.import_path(Path(path)), done, self.failed.emit)

    def verify(self, name: str) -> None:
        """Read every byte of a model."""
        latest: Latest[int] = Latest(self._bridge, lambda permille: self.progressed.emit(name, permille))

        def work() -> ModelEntry:
            return self._library.verify(
                name,
                lambda done, total: latest.offer(1000 * done // max(1, total)),
                lambda: self._is_closed,
            )

        def done(entry: ModelEntry) -> None:
            self._ended(name, latest)
            self.verified.emit(entry)

        def failed(error: Exception) -> None:
            self._ended(name, latest)
            self.failed.emit(error)

        self._bridge.run(work, done, failed)

    def remove(self, name: str) -> None:
        """Forget a model, and delete its files if they are ours; the person has confirmed."""

        def work() -> None:
            self._services.remove_model(name)

        def done(_nothing: None) -> None:
            self.refresh()
            self.removed.emit(name)

        self._bridge.run(work, done, self.failed.emit)

    def close(self) -> None:
        """Let what runs end soon."""
        self._is_closed = True

    def _by_formulas(self, name: str) -> ModelFigures:
        """What is known at once: from the headers, and from what was measured before."""
        services = self._services
        entry = self._library.get(name)
        if entry.address:
            return ModelFigures()
        speed = services.storage.call(lambda store: store.speeds.of(name))
        figures = replace(
            self._last_load(entry),
            decode_tokens_per_s=speed.decode_tokens_per_s if speed is not None else None,
            prefill_tokens_per_s=speed.prefill_tokens_per_s if speed is not None else None,
            n_answers=speed.n_answers if speed is not None else 0,
        )
        try:
            judged = fits.judge(services, name, self._wishes(), with_probe=False)
            facts = facts_of(judged.model, source=entry.source, chat_template=entry.chat_template)
        except (ModelFileError, ModelManagerError) as error:
            return replace(figures, failure=error)
        return replace(figures, fit=pages.fit_figures(name, judged), file=pages.file_figures(facts))

    def _last_load(self, entry: ModelEntry) -> ModelFigures:
        """What it takes if it is loaded, else what it took when it last was."""
        state = self._services.engines.state_of(entry.name)
        info = state.info if state is not None else None
        if info is not None and info.placement is not None:
            placement = info.placement
            total_bytes = placement.own_bytes + sum(device.total_bytes for device in placement.memory)
            return ModelFigures(loaded_bytes=total_bytes, loaded_ctx_tokens=info.n_ctx_tokens)
        kept = kept_measured(entry.measured)
        if kept is None:
            return ModelFigures()
        return ModelFigures(
            loaded_bytes=kept.total_bytes, loaded_ctx_tokens=kept.n_ctx_tokens, loaded_at=kept.at
        )

    def _probed(self, name: str, figures: ModelFigures) -> ModelFigures:
        """The same with what llama.cpp says, which then judges in place of the formulas."""
        if self._is_closed:
            return figures
        try:
            judged = fits.judge(self._services, name, self._wishes())
        except ModelManagerError as error:
            return replace(figures, probe_error=error)
        if judged.probe is None:
            return replace(figures, probe_error=judged.probe_error)
        return replace(
            figures,
            fit=pages.fit_figures(name, judged),
            probed_bytes=judged.fit.memory.total_bytes,
            probed_ctx_tokens=judged.probe.n_ctx_tokens,
        )

    def _wishes(self) -> Wishes:
        return Wishes(int(self._services.setting("n_ctx_tokens") or 0))

    def _ended(self, name: str, latest: Latest[int]) -> None:
        latest.flush()
        self.progressed.emit(name, None)
        self.refresh()


def free_bytes_of(folder: Path) -> int:
    """Room on the disk that a folder is on, or will be; 0 where nobody can tell."""
    for existing in (folder, *folder.parents):
        with suppress(OSError):
            return shutil.disk_usage(existing).free
    return 0
