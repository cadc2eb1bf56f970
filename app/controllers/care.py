"""The use case of looking after the data in the window: backups, sizes, compaction, erasing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app import care
from app.bridge import Bridge, Latest
from app.errors import Interrupted
from app.services import Services
from storage.backups import Backups
from storage.records import Conversation
from ui.care import words
from ui.care.values import BackupContent
from ui.i18n import tr
from ui.values import Notice

OPEN = "open_care"
"""What a notice emits whose button shows the backups."""
STOP = "stop_care"
"""What the notice of a running erasure emits when its button is pressed."""


class CareController(QObject):
    """Works off the Qt thread; one large job at a time.

    Signals:
        listed: List of BackupRow, the newest first.
        measured: Space.
        examined: BackupContent; a person is to be asked whether it shall take the database's place.
        progressed: Permille of a compaction, or None when it has ended.
        busy_changed: Whether a backup is made or read.
        told: Notice: what came of it.
        deleted: Conversations are gone for good.
        failed: Exception, for a sentence.
    """

    listed = Signal(object)
    measured = Signal(object)
    examined = Signal(object)
    progressed = Signal(object)
    busy_changed = Signal(bool)
    told = Signal(object)
    deleted = Signal()
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._backups = Backups(services.paths.database)
        self._bridge = bridge
        self._is_compacting = False
        self._is_stopped = False

    def look(self) -> None:
        """Read the list of backups, then what everything takes."""
        self._bridge.run(lambda: care.rows_of(self._backups), self.listed.emit, self.failed.emit)
        self._bridge.run(lambda: care.space_of(self._services), self.measured.emit, self.failed.emit)

    def back_up(self, target: str) -> None:
        """Make a backup and read it whole; "" for the folder of backups, else a file that may be replaced."""

        def work() -> BackupContent:
            made = self._backups.create("hand", Path(target) if target else None, overwrite=True)
            return care.content_of(self._backups.verify(made))

        self._told_when_done(work, lambda content: Notice("info", words.whole(content)))

    def examine(self, path: str) -> None:
        """Read a backup whole."""
        self.busy_changed.emit(True)
        self.told.emit(Notice("info", tr("Reading the backup…")))

        def done(content: BackupContent) -> None:
            self._end()
            self.examined.emit(content)

        self._bridge.run(lambda: care.content_of(self._backups.verify(Path(path))), done, self._on_failed)

    def remove(self, path: str) -> None:
        """Delete a backup of the folder."""

        def work() -> None:
            self._backups.remove([Path(path)])

        self._told_when_done(work, lambda _nothing: Notice("info", tr("{path} is deleted.", path=path)))

    def compact(self) -> None:
        """Give back what is empty in the file; ignored while that is done."""
        storage = self._services.storage

        def done(n_bytes: int) -> None:
            self.told.emit(Notice("info", words.given_back(n_bytes)))
            self.look()

        self._compacting(
            lambda progress: storage.call(lambda store: store.upkeep.compact(progress)),
            done,
            self.progressed.emit,
        )

    def erase(self, ids: Sequence[int]) -> None:
        """Delete conversations and leave no trace of them in the file; the person has confirmed."""

        def tell(permille: int | None) -> None:
            if permille is not None:
                words_now = tr("Erasing: {percent} %", percent=permille // 10)
                self.told.emit(Notice("info", words_now, tr("Stop"), STOP))

        def work(progress: care.Progress) -> tuple[list[Conversation], list[str]]:
            gone = care.delete(self._services, ids)
            self._bridge.post(self.deleted.emit)
            return gone, care.erase(self._services, gone, progress)

        def done(found: tuple[list[Conversation], list[str]]) -> None:
            gone, names = found
            said = f"{words.deleted(len(gone))} {tr('No trace of it is left in the database.')}"
            if not names:
                self.told.emit(Notice("info", said))
                return
            held = words.still_held(str(self._backups.folder), names)
            detail = "\n".join([held, *names])
            backups = tr("Backups still hold what was deleted.")
            self.told.emit(Notice("warning", f"{said} {backups}", tr("Show the backups"), OPEN, detail))

        self._compacting(work, done, tell)

    def stop(self) -> None:
        """End a compaction with nothing changed."""
        self._is_stopped = True

    def _compacting(
        self,
        work: Callable[[care.Progress], object],
        done: Callable[..., None],
        tell: Callable[[int | None], None],
    ) -> None:
        if self._is_compacting:
            return
        self._is_compacting, self._is_stopped = True, False
        latest: Latest[int] = Latest(
            self._bridge, lambda permille: tell(permille if self._is_compacting else None)
        )
        tell(0)

        def progress(n_done: int, n_steps: int) -> None:
            if self._is_stopped and n_done < n_steps:
                raise Interrupted
            latest.offer(1000 * n_done // max(1, n_steps))

        def end() -> None:
            self._is_compacting = False
            latest.flush()
            tell(None)

        def succeeded(result: object) -> None:
            end()
            done(result)

        def failed(error: Exception) -> None:
            end()
            if isinstance(error, Interrupted):
                self.told.emit(Notice("info", tr("Compacting was stopped; nothing was changed.")))
            else:
                self.failed.emit(error)

        self._bridge.run(lambda: work(progress), succeeded, failed)

    def _told_when_done(self, work: Callable[[], object], notice: Callable[..., Notice]) -> None:
        self.busy_changed.emit(True)

        def done(result: object) -> None:
            self._end()
            self.told.emit(notice(result))
            self.look()

        self._bridge.run(work, done, self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        self._end()
        self.failed.emit(error)

    def _end(self) -> None:
        self.busy_changed.emit(False)
        self.told.emit(None)
