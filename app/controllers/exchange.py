"""The use case of conversations going in and out of the window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app import exchanging
from app.bridge import Bridge, Latest
from app.errors import Interrupted
from app.exchanging import ImportReport
from app.services import Services
from storage.exchange.exporters.fine_tuning import Quality, Selection
from ui import exchange_words, formats
from ui.i18n import tr, trn
from ui.values import Notice, NoticeLevel

if TYPE_CHECKING:
    from ui.training_dialog import TrainingChoice

STOP = "stop_import"
"""What the notice of a running import emits when its button is pressed."""


class ExchangeController(QObject):
    """Imports and exports off the Qt thread; one import at a time.

    Signals:
        told: Notice: how far an import has come, what it brought, where an export went.
        imported: Something has come in, or may have.
        failed: Exception, for a sentence.
    """

    told = Signal(object)
    imported = Signal()
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = services.storage
        self._bridge = bridge
        self._is_running = False
        self._is_stopped = False

    def import_path(self, path: str) -> None:
        """Bring the conversations of a file or folder in; ignored while another import runs."""
        if self._is_running:
            return
        self._is_running, self._is_stopped = True, False
        progress: Latest[int] = Latest(self._bridge, self._tell_progress)
        self._tell_progress(0)

        def work() -> ImportReport:
            return exchanging.import_file(
                self._storage, Path(path), progress=progress.offer, is_cancelled=lambda: self._is_stopped
            )

        def done(report: ImportReport) -> None:
            self._is_running = False
            progress.flush()
            self.told.emit(_told(report))
            self.imported.emit()

        def failed(error: Exception) -> None:
            self._is_running = False
            progress.flush()
            if isinstance(error, Interrupted):
                words = tr("The import was stopped. What had come in by then is kept.")
                self.told.emit(Notice("info", words))
            else:
                self.failed.emit(error)
            self.imported.emit()

        self._bridge.run(work, done, failed)

    def stop(self) -> None:
        """End the running import after the conversation that it is at."""
        self._is_stopped = True

    def export(self, conversation_id: int, kind: exchanging.Format, path: str) -> None:
        """Write one conversation; the person has agreed to replace a file that is there."""
        self._bridge.run(
            lambda: exchanging.export_one(self._storage, conversation_id, kind, Path(path), overwrite=True),
            lambda _nothing: self._tell_exported(path),
            self.failed.emit,
        )

    def export_all(self, path: str) -> None:
        """Write all conversations; the person has agreed to replace a file that is there."""
        self._bridge.run(
            lambda: exchanging.export_all(self._storage, None, Path(path), overwrite=True),
            lambda _n_written: self._tell_exported(path),
            self.failed.emit,
        )

    def export_examples(self, choice: TrainingChoice, path: str) -> None:
        """Write examples for training; the person has agreed to replace a file that is there."""
        quality = Quality(
            choice.min_characters,
            choice.max_characters,
            choice.similarity,
            choice.min_rating,
            choice.max_entropy_bits,
        )

        def work() -> Selection:
            return exchanging.export_examples(
                self._storage,
                None,
                choice.shape,
                quality,
                Path(path),
                with_reasoning=choice.with_reasoning,
                overwrite=True,
            )

        def done(selection: Selection) -> None:
            n = selection.n_written
            count = trn("{n} example.", "{n} examples.", n, n_text=formats.number(n))
            detail = "\n".join(exchange_words.left_out(selection.left_out.items()))
            words = f"{tr('Exported to {path}.', path=path)} {count}"
            self.told.emit(Notice("info" if n else "warning", words, detail=detail))

        self._bridge.run(work, done, self.failed.emit)

    def _tell_progress(self, n_read: int) -> None:
        if self._is_running:
            words = tr("Importing; conversations so far: {n}.", n=formats.number(n_read))
            self.told.emit(Notice("info", words, tr("Stop"), STOP))

    def _tell_exported(self, path: str) -> None:
        self.told.emit(Notice("info", tr("Exported to {path}.", path=path)))


def _told(report: ImportReport) -> Notice:
    words = exchange_words.summary(report.n_new, report.n_grown, report.n_known, report.n_messages)
    broken = exchange_words.broken(report.n_broken)
    lost = exchange_words.lost(report.lost)
    detail = [", ".join(report.programs)]
    if empty := exchange_words.empty(report.n_empty):
        detail.append(empty)
    if lost:
        detail.append(tr("There is no place for: {things}.", things="; ".join(lost)))
    detail += [f"{place.where}: {place.reason}" for place in report.broken]
    detail += [tr("No conversations in {name}.", name=name) for name in report.skipped]
    level: NoticeLevel = "warning" if report.n_broken else "info"
    return Notice(level, f"{words} {broken}".strip(), detail="\n".join(detail))
