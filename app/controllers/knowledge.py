"""The use case of documents in the window: collections, and the passages that answers are made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app import collection_rows
from app.bridge import Bridge, Latest
from app.controllers.running import FindPassages
from app.engines import LoadCancelled
from app.keep_awake import keep_awake
from app.knowledge import Report
from app.reading import DocumentReader
from app.services import Services
from model_manager.engine.client import Cancel
from storage.errors import NoSuchCollection
from storage.knowledge.records import Citation
from storage.records import Message
from storage.store import Store
from ui.i18n import tr
from ui.knowledge.values import CollectionRow
from ui.values import Notice

_N_PASSAGES = 5


class KnowledgeController(QObject):
    """Reads documents off the Qt thread, one collection at a time. Lives on the Qt thread.

    Signals:
        listed: Tuple of `CollectionRow`, name of the one that has just been changed or "".
        documents_listed: Name, tuple of `SourceRows`.
        progressed: What is being done, permille of it; -1 where that is not known, None when it has ended.
        chosen: Name of the collection that the shown conversation is answered from; "" for none.
        cited: Dict of tuples of `CitedPassage`, by the id of the question.
        told: Notice about an answer.
        failed: Exception, for a sentence.
    """

    listed = Signal(object, str)
    documents_listed = Signal(str, object)
    progressed = Signal(str, object)
    chosen = Signal(str)
    cited = Signal(object)
    told = Signal(object)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services = services
        self._bridge = bridge
        self._cancel: Cancel | None = None
        self._readers: list[DocumentReader] = []
        self._conversation_id: int | None = None
        self._choices: dict[int | None, str] = {}
        self._has_asked_fresh = False

    # --- collections ---

    def refresh_list(self, name: str = "") -> None:
        """Read what there is; `name` has just been changed."""

        def tell(rows: tuple[CollectionRow, ...]) -> None:
            if self.collection not in ("", *(row.name for row in rows)):
                self.choose("")
            self.listed.emit(rows, name)

        self._bridge.run(
            lambda: self._services.storage.call(collection_rows.collections), tell, self.failed.emit
        )

    def list_documents(self, name: str) -> None:
        """Read what belongs to a collection."""
        self._bridge.run(
            lambda: self._services.storage.call(lambda store: collection_rows.sources(store, name)),
            lambda sources: self.documents_listed.emit(name, sources),
            self.failed.emit,
        )

    def add(self, name: str, paths: Sequence[str]) -> None:
        """Read files and folders into a collection, which is made if there is none.

        A conversation that is answered without documents is answered from these: that is what they are for.
        """

        def note() -> str:
            kept = self._services.knowledge.add(name, [Path(path) for path in paths]).name
            self._bridge.post(lambda: None if self.collection else self.choose(kept))
            return kept

        self._work(name, note)

    def refresh(self, name: str) -> None:
        """Read what is new or has changed, forget what is gone."""
        self._work(name, lambda: name)

    def choose_model(self, name: str, model: str) -> None:
        """Who computes the vectors of a collection, "" for nobody; computes them."""

        def choose() -> str:
            self._services.knowledge.choose_model(name, model or None)
            return name

        self._work(name, choose)

    def remove_source(self, name: str, path: str) -> None:
        """Forget one file or folder of a collection."""
        self._change(name, lambda store: store.knowledge.remove_source(name, Path(path)))

    def remove(self, name: str) -> None:
        """Forget a collection; the files stay."""
        self._change("", lambda store: store.knowledge.remove(name))

    def stop(self) -> None:
        """End the reading; what was done stays."""
        if self._cancel is not None:
            self._cancel.set()
        for reader in self._readers:
            reader.stop()

    def _change(self, name: str, change: Callable[[Store], None]) -> None:
        def done(_nothing: None) -> None:
            self.refresh_list(name)

        self._bridge.run(lambda: self._services.storage.call(change), done, self.failed.emit)

    def _work(self, name: str, prepare: Callable[[], str]) -> None:
        """Ignored while another collection is being read."""
        if self._cancel is not None:
            return
        cancel = self._cancel = Cancel()
        self._readers.clear()
        latest: Latest[tuple[str, int]] = Latest(self._bridge, lambda told: self.progressed.emit(*told))
        self.progressed.emit(tr("Reading…"), -1)

        def read() -> Report:
            kept = prepare()
            with keep_awake():
                return self._services.knowledge.refresh(
                    kept,
                    cancel,
                    lambda what, done, total: latest.offer(collection_rows.progress(what, done, total)),
                    self._readers.append,
                )

        def done(report: Report) -> None:
            self._end(latest, collection_rows.outcome(report), name)

        def failed(error: Exception) -> None:
            self._end(latest, "", name)
            self.failed.emit(error)

        self._bridge.run(read, done, failed)

    def _end(self, latest: Latest[tuple[str, int]], words: str, name: str) -> None:
        self._cancel = None
        latest.flush()
        self.progressed.emit(words, None)
        self.refresh_list(name)

    # --- conversations ---

    @property
    def collection(self) -> str:
        """That the shown conversation is answered from; "" for none."""
        return self._choices.get(self._conversation_id, "")

    def choose(self, name: str) -> None:
        """Answer the shown conversation from this collection from now on; "" from none."""
        self._choices[self._conversation_id] = name
        self.chosen.emit(name)

    def show(self, conversation_id: int | None, messages: Sequence[Message]) -> None:
        """Another conversation is shown, or another path of it: it goes on with the collection it had."""
        if conversation_id is not None and self._conversation_id is None and self._has_asked_fresh:
            self._choices[conversation_id] = self._choices.pop(None, "")
        if conversation_id is None:
            self._choices.pop(None, None)
        self._has_asked_fresh = False
        self._conversation_id = conversation_id
        self.chosen.emit(self.collection)
        self.look_up(messages, is_shown_anew=True)

    def look_up(self, messages: Sequence[Message], *, is_shown_anew: bool = False) -> None:
        """Find the passages that these questions were sent with."""
        ids = [message.id for message in messages if message.role == "user"]
        conversation_id = self._conversation_id
        if not ids:
            return

        def tell(found: dict[int, tuple[Citation, ...]]) -> None:
            if found:
                self.cited.emit({key: collection_rows.passages(several) for key, several in found.items()})
            last = found.get(ids[-1]) if is_shown_anew else None
            if last and conversation_id == self._conversation_id and conversation_id not in self._choices:
                self.choose(last[0].collection)

        self._bridge.run(
            lambda: self._services.storage.call(lambda store: store.citations.of(ids)), tell, self.failed.emit
        )

    def finder(self, text: str) -> FindPassages | None:
        """What looks for the passages of a question in the shown conversation; None: it is without."""
        name = self.collection
        self._has_asked_fresh = self._conversation_id is None
        if not name:
            return None

        def find(cancel: Cancel) -> tuple[Citation, ...]:
            try:
                found = self._services.knowledge.find(name, text, cancel, limit=_N_PASSAGES)
            except LoadCancelled:
                return ()  # the answer is cancelled likewise, and says so
            except NoSuchCollection:
                self._bridge.post(lambda: self.choose(""))
                raise
            if not found.passages:
                self._bridge.post(lambda: self.told.emit(_nothing_found(name)))
            return found.citations

        return find


def _nothing_found(name: str) -> Notice:
    words = tr("Nothing in “{name}” has to do with this; the answer is without it.", name=name)
    return Notice("info", words)
