"""The use case of the window's left side: the list of conversations, and finding something in them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QObject, Signal

from app.bridge import Bridge
from app.services import Services
from storage.errors import NoSuchConversation
from storage.records import Conversation, Filter, Message, Rating, SearchHit
from storage.shelf import Shelf
from storage.store import Store
from ui.values import Choices, Search, Shelving, ShelvingAction

N_HITS = 100
N_LISTED = 100
"""Conversations that are read at once: more than any screen shows."""

_SHELVE: Final[Mapping[ShelvingAction, Callable[[Shelf, int, str], object]]] = {
    "pin": lambda shelf, id_, _: shelf.pin(id_),
    "unpin": lambda shelf, id_, _: shelf.pin(id_, False),
    "archive": lambda shelf, id_, _: shelf.archive(id_),
    "unarchive": lambda shelf, id_, _: shelf.archive(id_, False),
    "move": lambda shelf, id_, path: shelf.move(id_, path),
    "tag": lambda shelf, id_, name: shelf.tag(id_, name),
    "untag": lambda shelf, id_, name: shelf.untag(id_, name),
}

Listing = tuple[int, list[Conversation], bool]
"""In which order the list was read, its beginning, and whether there is more."""


class ConversationsController(QObject):
    """Lists, names, throws away and searches conversations. Lives on the Qt thread.

    Signals:
        listed: List of Conversation: those that are pinned, then the newest first; whether there are more.
        more_listed: id of a conversation, list of Conversation that stand below it, whether there are more.
        described: Conversation as it is now.
        vanished: id of one that was deleted for good by somebody else.
        chosen_from: Choices: the folders, tags and models that there are.
        thrown_away, archived: Conversation that is in the trash, or in the archive, now.
        rated: Message with its new rating.
        folders_listed: List of Folder, by path.
        trash_listed: List of Conversation, the last one thrown away first.
        found: List of SearchHit, None when the search has ended; whether there are more.
        failed: Exception, for a sentence.
    """

    listed = Signal(object, bool)
    more_listed = Signal(object, object, bool)
    described = Signal(object)
    vanished = Signal(object)
    chosen_from = Signal(object)
    thrown_away = Signal(object)
    archived = Signal(object)
    rated = Signal(object)
    folders_listed = Signal(object)
    trash_listed = Signal(object)
    found = Signal(object, bool)
    failed = Signal(object)

    def __init__(self, services: Services, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._storage = services.storage
        self._forget = services.forget_conversation
        self._bridge = bridge
        self._search = Search()
        self._n_hits = N_HITS
        self._numbers = itertools.count(1)
        self._shown = 0
        self._n_listed = N_LISTED

    def refresh(self) -> None:
        """Read the list anew, as far down as it was read before."""
        self._bridge.run(self._list, self._tell, self.failed.emit)

    def list_more(self, after: int) -> None:
        """Read what stands below a conversation, the last one that is listed."""
        self._n_listed += N_LISTED
        where = self._search.where

        def tell(found: list[Conversation]) -> None:
            if where == self._search.where:
                self.more_listed.emit(after, found[:N_LISTED], len(found) > N_LISTED)

        self._bridge.run(
            lambda: self._storage.call(
                lambda store: store.conversations.list(N_LISTED + 1, _listed(where), after=after)
            ),
            tell,
            self.failed.emit,
        )

    def describe(self, conversation_id: int) -> None:
        """Read a conversation anew, but for its messages."""

        def failed(error: Exception) -> None:
            if isinstance(error, NoSuchConversation):
                self.vanished.emit(conversation_id)
            else:
                self.failed.emit(error)

        self._bridge.run(lambda: self._get(conversation_id), self.described.emit, failed)

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a title."""

        def work() -> Listing:
            self._storage.call(lambda store: store.conversations.rename(conversation_id, title))
            return self._list()

        self._bridge.run(work, self._tell, self.failed.emit)

    def throw_away(self, conversation_id: int) -> None:
        """Put it into the trash, and tell what is there now."""

        def work() -> tuple[Conversation, Listing]:
            self._storage.call(lambda store: store.trash.put(conversation_id))
            return self._get(conversation_id), self._list()

        def tell(done: tuple[Conversation, Listing]) -> None:
            self._tell(done[1])
            self.thrown_away.emit(done[0])

        self._bridge.run(work, tell, self.failed.emit)

    def shelve(self, shelving: Shelving) -> None:
        """Put a conversation where a person wants it, and tell what is there now."""
        act = _SHELVE[shelving.action]

        def work() -> tuple[Conversation, Listing]:
            self._storage.call(lambda store: act(store.shelf, shelving.conversation_id, shelving.name))
            return self._get(shelving.conversation_id), self._list()

        def tell(done: tuple[Conversation, Listing]) -> None:
            self._tell(done[1])
            if shelving.action == "archive":
                self.archived.emit(done[0])
            if shelving.name:
                self.list_choices()

        self._bridge.run(work, tell, self.failed.emit)

    def list_choices(self) -> None:
        """Read which folders and tags there are, and which models have answered."""

        def read(store: Store) -> Choices:
            return Choices(
                tuple(folder.path for folder in store.shelf.folders()),
                tuple(tag.name for tag in store.shelf.tags()),
                tuple(store.speeds.names()),
            )

        self._bridge.run(lambda: self._storage.call(read), self.chosen_from.emit, self.failed.emit)

    def list_folders(self) -> None:
        """Read the folders, and how many conversations lie in each."""
        self._bridge.run(
            lambda: self._storage.call(lambda store: store.shelf.folders()),
            self.folders_listed.emit,
            self.failed.emit,
        )

    def rename_folder(self, path: str, new_path: str) -> None:
        """Give a folder another path; one that is there already takes it in."""
        self._change_folders(lambda shelf: shelf.rename_folder(path, new_path))

    def remove_folder(self, path: str) -> None:
        """Remove a folder and those below it; their conversations stay."""
        self._change_folders(lambda shelf: shelf.remove_folder(path))

    def _change_folders(self, change: Callable[[Shelf], object]) -> None:
        def work() -> Listing:
            self._storage.call(lambda store: change(store.shelf))
            return self._list()

        def tell(listing: Listing) -> None:
            self._tell(listing)
            self.list_choices()
            self.list_folders()

        self._bridge.run(work, tell, self.failed.emit)

    def rate(self, message_id: int, rating: Rating | None) -> None:
        """Keep a person's opinion of an answer; None takes it back."""

        def write(store: Store) -> Message:
            store.ratings.rate(message_id, rating)
            return store.conversations.message(message_id)

        self._bridge.run(lambda: self._storage.call(write), self.rated.emit, self.failed.emit)

    def restore(self, ids: Sequence[int]) -> None:
        """Take them out of the trash again."""

        def work() -> Listing:
            for conversation_id in ids:
                self._storage.call(functools.partial(_restore, conversation_id))
            return self._list()

        self._change_trash(work)

    def delete(self, ids: Sequence[int]) -> None:
        """Delete for good; the person has confirmed."""

        def work() -> Listing:
            for conversation_id in ids:
                self._storage.call(functools.partial(_delete, conversation_id))
                self._forget(conversation_id)
            return self._list()

        self._change_trash(work)

    def list_trash(self) -> None:
        """Read what lies in the trash."""
        self._bridge.run(
            lambda: self._storage.call(lambda store: store.trash.list()),
            self.trash_listed.emit,
            self.failed.emit,
        )

    def _change_trash(self, work: Callable[[], Listing]) -> None:
        def tell(listing: Listing) -> None:
            self._tell(listing)
            self.list_trash()

        self._bridge.run(work, tell, self.failed.emit)

    def search(self, search: Search) -> None:
        """Find a text in all messages; without one, the search ends. The filter holds for the list too."""
        is_other_list = search.where != self._search.where
        self._search, self._n_hits = search, N_HITS
        if is_other_list:
            self._n_listed = N_LISTED
            self.refresh()
        self._find()

    def find_more(self) -> None:
        """Find as many again, with those that were found."""
        self._n_hits += N_HITS
        self._find()

    def _find(self) -> None:
        search, n_hits = self._search, self._n_hits
        if not search.text.strip():
            self.found.emit(None, False)
            return

        def find() -> list[SearchHit]:
            return self._storage.call(
                lambda store: store.search.find(
                    search.text, search.where, limit=n_hits + 1, order=search.order
                )
            )

        def tell(hits: list[SearchHit]) -> None:
            # What comes back after the person has typed on is no longer wanted.
            if (search, n_hits) == (self._search, self._n_hits):
                self.found.emit(hits[:n_hits], len(hits) > n_hits)

        self._bridge.run(find, tell, self.failed.emit)

    def _get(self, conversation_id: int) -> Conversation:
        return self._storage.call(lambda store: store.conversations.get(conversation_id))

    def _list(self) -> Listing:
        def read(store: Store) -> Listing:
            # Asked at the moment of reading: jobs run in any order, and the last one that reads is shown.
            n_wanted, where = self._n_listed, _listed(self._search.where)
            found = store.conversations.list(n_wanted + 1, where)
            return next(self._numbers), found[:n_wanted], len(found) > n_wanted

        return self._storage.call(read)

    def _tell(self, listing: Listing) -> None:
        """Jobs end in any order: what was read before what is shown already is not shown."""
        number, conversations, has_more = listing
        if number > self._shown:
            self._shown = number
            self.listed.emit(conversations, has_more)


def _restore(conversation_id: int, store: Store) -> None:
    store.trash.restore(conversation_id)


def _delete(conversation_id: int, store: Store) -> None:
    store.trash.delete(conversation_id)


def _listed(where: Filter) -> Filter:
    """Of a list: the archive is only in it where nothing else is wanted."""
    return replace(where, is_archived=bool(where.is_archived))
