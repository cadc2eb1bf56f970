"""The use case of the library's page: what there is, adding, checking and removing models."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from app import fits, pages, quantize_words
from app.bridge import Bridge, Latest
from app.keep_awake import keep_awake
from app.services import Services
from model_manager.best_fit import Wishes
from model_manager.errors import ModelFileError, ModelManagerError, QuantizeCancelled, TransferCancelled
from model_manager.file_facts import facts_of
from model_manager.measured_memory import kept_measured
from model_manager.types import DuplicateGroup, ImportReport, ModelEntry
from ui import formats, library_words
from ui.i18n import tr
from ui.library.values import ModelFigures, QuantizeWish, Shelf
from ui.values import Notice

log = logging.getLogger(__name__)

T = TypeVar("T")

STOP = "stop_library_search"
"""What the notice of a running import or comparison emits when its button is pressed."""


class LibraryController(QObject):
    """Works on the library off the Qt thread.

    Signals:
        listed: `Shelf`.
        figured: Name, `ModelFigures`; twice for one model, first without what takes longer.
        progressed: Name of a model that is being verified, moved or made smaller, per mille; None when that
            has ended.
        told: Notice: how far an import has come, what it brought.
        doubled: Tuple of DuplicateGroup.
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
    told = Signal(object)
    doubled = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._library = services.library
        self._bridge = bridge
        self._is_closed = False
        self._stops: dict[str, threading.Event] = {}
        self._search_stop: threading.Event | None = None
        services.subscribe_downloads(lambda _snapshot: bridge.post(self.refresh))

    def refresh(self) -> None:
        """Read the list anew."""
        self._bridge.run(self.shelf, self.listed.emit, self.failed.emit)

    def shelf(self) -> Shelf:
        """The list as it is now; may be called from any thread."""
        folder = self._library.models_dir
        stores = tuple(store for store in self._services.keeping.stores() if store.folders)
        return Shelf(tuple(self._library.list()), folder, free_bytes_of(folder), stores)

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

    def import_from(self, where: str) -> None:
        """Add all models of another program or of a folder; they stay where they are."""

        def done(report: ImportReport) -> None:
            self.refresh()
            self.told.emit(_told(report))

        self._search(
            tr("Looking for models; files so far: {n}."),
            lambda progress, stopped: self._services.keeping.import_from(
                where, progress=lambda n_done, _total: progress(n_done), cancelled=stopped
            ),
            done,
        )

    def find_duplicates(self) -> None:
        """Look which models are here twice, by their bytes."""

        def done(groups: tuple[DuplicateGroup, ...]) -> None:
            self.told.emit(None)
            self.doubled.emit(groups)

        self._search(
            tr("Comparing models: {n} % of what has to be read."),
            lambda progress, stopped: self._services.keeping.duplicates(
                lambda n_done, total: progress(100 * n_done // max(1, total)), stopped
            ),
            done,
        )

    def stop_search(self) -> None:
        """End the import or the comparison that runs."""
        if self._search_stop is not None:
            self._search_stop.set()

    def verify(self, name: str) -> None:
        """Read every byte of a model."""
        self._work_on(
            name, lambda tell, stopped: self._library.verify(name, tell, stopped), self.verified.emit
        )

    def move(self, name: str, folder: str) -> None:
        """Put a model's files into another folder, or finish that where it was cut off."""

        def done(entry: ModelEntry) -> None:
            words = tr("{name} is in {folder} now.", name=entry.name, folder=entry.paths[0].parent)
            self.told.emit(Notice("info", words))

        self._work_on(
            name,
            lambda tell, stopped: self._services.keeping.move(name, Path(folder), tell, stopped),
            done,
        )

    def quantize(self, name: str, wish: QuantizeWish) -> None:
        """Make a smaller model out of one."""
        words: list[str] = []

        def work(tell: Callable[[int, int], None], stopped: Callable[[], bool]) -> ModelEntry:
            job = self._services.quantizing.prepare(
                name,
                wish.type_name,
                experts=wish.experts,
                attention=wish.attention,
                tensors=wish.tensors,
                output=wish.output,
            )
            entry = self._services.quantizing.run(job, tell, stopped)
            words.extend((quantize_words.made(job, entry), *quantize_words.warnings(job)))
            return entry

        def done(_entry: ModelEntry) -> None:
            self.told.emit(Notice("info", words[0], detail="\n".join(words[1:])))

        self._work_on(name, work, done)

    def undo_move(self, name: str) -> None:
        """Undo a move that was cut off."""
        self._bridge.run(
            lambda: self._services.keeping.cancel_move(name), lambda _entry: self.refresh(), self.failed.emit
        )

    def stop(self, name: str) -> None:
        """End what is going on with a model's files; nothing is lost by it."""
        if name in self._stops:
            self._stops[name].set()

    def remove(self, name: str, delete_foreign_files: bool = False) -> None:
        """Forget a model, and delete its files if they are ours or the person has agreed to that."""

        def work() -> None:
            self._services.remove_model(name, delete_foreign_files=delete_foreign_files)

        def done(_nothing: None) -> None:
            self.refresh()
            self.removed.emit(name)

        self._bridge.run(work, done, self.failed.emit)

    def close(self) -> None:
        """Let what runs end soon."""
        self._is_closed = True
        self.stop_search()
        for stop in self._stops.values():
            stop.set()

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

    def _work_on(
        self,
        name: str,
        work: Callable[[Callable[[int, int], None], Callable[[], bool]], ModelEntry],
        done: Callable[[ModelEntry], object],
    ) -> None:
        """Do one thing with a model's files; ignored while another is done with them."""
        if name in self._stops:
            return
        stop = self._stops[name] = threading.Event()
        latest: Latest[int] = Latest(self._bridge, lambda permille: self.progressed.emit(name, permille))

        def job() -> ModelEntry:
            with keep_awake():
                return work(lambda n_done, total: latest.offer(1000 * n_done // max(1, total)), stop.is_set)

        def end() -> None:
            del self._stops[name]
            latest.flush()
            self.progressed.emit(name, None)
            self.refresh()

        def succeeded(entry: ModelEntry) -> None:
            end()
            done(entry)

        def failed(error: Exception) -> None:
            end()
            if not (stop.is_set() and isinstance(error, (TransferCancelled, QuantizeCancelled))):
                self.failed.emit(error)

        self.progressed.emit(name, 0)
        self._bridge.run(job, succeeded, failed)

    def _search(
        self,
        words: str,
        work: Callable[[Callable[[int], None], Callable[[], bool]], T],
        done: Callable[[T], None],
    ) -> None:
        """Look through many files, with a notice that tells how far that is; one at a time."""
        if self._search_stop is not None:
            return
        stop = self._search_stop = threading.Event()

        def tell(n: int) -> None:
            if self._search_stop is stop:
                self.told.emit(Notice("info", words.format(n=formats.number(n)), tr("Stop"), STOP))

        latest: Latest[int] = Latest(self._bridge, tell)

        def succeeded(result: T) -> None:
            self._search_stop = None
            latest.flush()
            done(result)

        def failed(error: Exception) -> None:
            self._search_stop = None
            latest.flush()
            self.told.emit(None)
            if not (stop.is_set() and isinstance(error, TransferCancelled)):
                self.failed.emit(error)

        tell(0)
        self._bridge.run(lambda: work(latest.offer, stop.is_set), succeeded, failed)


def _told(report: ImportReport) -> Notice:
    n_added = sum(item.status in ("added", "found_again") for item in report.items)
    n_skipped = sum(item.status == "skipped" for item in report.items)
    words = tr(
        "Added: {added}. Left out: {skipped}. All files stay where they are.",
        added=formats.number(n_added),
        skipped=formats.number(n_skipped),
    )
    lines = [f"{item.name}: {library_words.status(item)} ({item.path})" for item in report.items]
    return Notice("info", words, detail="\n".join(lines))


def free_bytes_of(folder: Path) -> int:
    """Room on the disk that a folder is on, or will be; 0 where nobody can tell."""
    for existing in (folder, *folder.parents):
        with suppress(OSError):
            return shutil.disk_usage(existing).free
    return 0
