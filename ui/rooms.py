"""The doors to the pages about models: they are made when first opened, and know the newest values then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget

from model_manager.types import DownloadSnapshot, DuplicateGroup
from ui.library.values import FitFigures, FoundModel, HubPage, ModelFigures, Shelf, Suggestions
from ui.values import Notice

if TYPE_CHECKING:
    from ui.library.room import Room, RoomPage


_FROM_HUB = "hub:"
"""Before the reference, in the source of an entry that was downloaded."""


class Rooms(QObject):
    """Passes values to the pages and intentions from them, whether the pages have been made yet or not.

    Signals:
        changed: A page was opened; its name.
        left: Back to the conversation.
        sidebar_toggled: The side bar is to be shown or hidden.
        suggestions_requested: The catalogue is about to be seen.
        search_requested: `SearchWish`.
        page_requested: A repository, or a reference that names one.
        fit_requested: Reference of a model, tokens of context (0: the usual), type of keys and values.
        figures_requested: Name of an entry of the library.
        download_requested: Reference as typed or chosen.
        download_paused, download_resumed, download_cancelled: download id; what is over is forgotten.
        download_moved: download id, `DownloadPlace`.
        downloads_paused, downloads_resumed: All of them.
        import_requested: Path of a file.
        import_from_requested: Key of another program, or a folder.
        duplicates_requested: Which models are here twice.
        verify_requested: Name of an entry.
        remove_requested: Name of an entry, whether files of another program go, too; it was confirmed.
        move_requested: Name of an entry, the folder.
        quantize_requested: Name of an entry, `QuantizeWish`.
        undo_move_requested, stop_requested: Name of an entry.
        setting_changed: key, value.
        annotate_requested: Name of an entry, tuple of tags, note.
        chat_requested: Name of an entry.
        link_chosen: Address of a web page that a card names.
        notice_action_requested: As `MainWindow`'s.
    """

    changed = Signal(str)
    left = Signal()
    sidebar_toggled = Signal()
    suggestions_requested = Signal()
    search_requested = Signal(object)
    page_requested = Signal(str)
    fit_requested = Signal(str, int, str)
    figures_requested = Signal(str)
    download_requested = Signal(str)
    download_paused = Signal(object)
    download_resumed = Signal(object)
    download_cancelled = Signal(object)
    import_requested = Signal(str)
    verify_requested = Signal(str)
    import_from_requested = Signal(str)
    duplicates_requested = Signal()
    remove_requested = Signal(str, bool)
    move_requested = Signal(str, str)
    quantize_requested = Signal(str, object)
    undo_move_requested = Signal(str)
    stop_requested = Signal(str)
    download_moved = Signal(object, str)
    downloads_paused = Signal()
    downloads_resumed = Signal()
    setting_changed = Signal(str, object)
    annotate_requested = Signal(str, object, str)
    chat_requested = Signal(str)
    link_chosen = Signal(str)
    notice_action_requested = Signal(str)

    def __init__(self, stack: QStackedWidget) -> None:
        """Pages come into `stack` when one is first opened."""
        super().__init__(stack)
        self._stack = stack
        self._room: Room | None = None
        self._shelf = Shelf()
        self._snapshots: Sequence[DownloadSnapshot] = ()
        self._free: tuple[int, Path] | None = None
        self._progress: dict[str, int] = {}
        self._settings: Mapping[str, Any] = {}

    # --- doors ---

    def open(self, name: RoomPage) -> None:
        """Show a page in place of the conversation."""
        room = self.room()
        if name == "discover":
            self.suggestions_requested.emit()
        self._stack.setCurrentWidget(room)
        room.show_page(name)
        self.changed.emit(name)

    def room(self) -> Room:
        """The pages, made now if they have not been."""
        if self._room is None:
            from ui.library.room import Room

            self._room = Room()
            self._stack.addWidget(self._room)
            self._connect(self._room)
            self._room.library.set_shelf(self._shelf)
            for name, permille in self._progress.items():
                self._room.library.set_progress(name, permille)
            self._room.downloads.set_settings(self._settings)
            self._show_downloads(self._room)
        return self._room

    def current(self) -> RoomPage | None:
        """Which page is seen; None while the conversation is."""
        if self._room is None or self._stack.currentWidget() is not self._room:
            return None
        return self._room.page()

    def _connect(self, room: Room) -> None:
        room.page_chosen.connect(self.open)
        room.left.connect(self.left)
        room.sidebar_toggled.connect(self.sidebar_toggled)
        discover, library, downloads = room.discover, room.library, room.downloads
        discover.search_requested.connect(self.search_requested)
        discover.page_requested.connect(self.page_requested)
        discover.fit_requested.connect(self.fit_requested)
        discover.download_requested.connect(self.download_requested)
        discover.link_chosen.connect(self.link_chosen)
        discover.notice_action_requested.connect(self.notice_action_requested)
        library.import_requested.connect(self.import_requested)
        library.verify_requested.connect(self.verify_requested)
        library.import_from_requested.connect(self.import_from_requested)
        library.duplicates_requested.connect(self.duplicates_requested)
        library.remove_requested.connect(self.remove_requested)
        library.quantize_requested.connect(self.quantize_requested)
        library.undo_move_requested.connect(self.undo_move_requested)
        library.stop_requested.connect(self.stop_requested)
        library.move_requested.connect(self.move_requested)
        library.annotate_requested.connect(self.annotate_requested)
        library.chat_requested.connect(self.chat_requested)
        library.figures_requested.connect(self.figures_requested)
        library.discover_requested.connect(lambda: self.open("discover"))
        downloads.download_requested.connect(self.download_requested)
        downloads.pause_requested.connect(self.download_paused)
        downloads.resume_requested.connect(self.download_resumed)
        downloads.cancel_requested.connect(self.download_cancelled)
        downloads.move_requested.connect(self.download_moved)
        downloads.pause_all_requested.connect(self.downloads_paused)
        downloads.resume_all_requested.connect(self.downloads_resumed)
        downloads.setting_changed.connect(self.setting_changed)
        downloads.chat_requested.connect(self.chat_requested)

    # --- values in ---

    def set_shelf(self, shelf: Shelf) -> None:
        """What the library holds."""
        self._shelf = shelf
        if self._room is not None:
            self._room.library.set_shelf(shelf)
            self._room.discover.hub_page.set_states(self._states())

    def set_model_progress(self, name: str, permille: int | None) -> None:
        """How far the work with an entry has come; None when it has ended."""
        if permille is None:
            self._progress.pop(name, None)
        else:
            self._progress[name] = permille
        if self._room is not None:
            self._room.library.set_progress(name, permille)

    def set_figures(self, name: str, figures: ModelFigures) -> None:
        """What is known of an entry."""
        if self._room is not None:
            self._room.library.show_figures(name, figures)

    def set_downloads(self, snapshots: Sequence[DownloadSnapshot]) -> None:
        """All downloads at this moment."""
        self._snapshots = snapshots
        if self._room is not None:
            self._show_downloads(self._room)

    def set_settings(self, values: Mapping[str, Any]) -> None:
        """All settings by key."""
        self._settings = values
        if self._room is not None:
            self._room.downloads.set_settings(values)

    def set_duplicates(self, groups: Sequence[DuplicateGroup]) -> None:
        """What is here twice."""
        self.room().library.set_duplicates(groups)

    def set_free_space(self, free_bytes: int, folder: Path) -> None:
        """How much room the disk of the models has."""
        self._free = free_bytes, folder
        if self._room is not None:
            self._room.downloads.set_free_space(free_bytes, folder)

    def set_suggestions(self, suggestions: Suggestions) -> None:
        """The catalogue."""
        self.room().discover.set_suggestions(suggestions)

    def set_found(self, found: tuple[FoundModel, ...]) -> None:
        """What the hub has for the last wish."""
        self.room().discover.set_found(found)

    def show_search_problem(self, notice: Notice) -> None:
        """The search has failed."""
        self.room().discover.show_search_problem(notice)

    def set_hub_page(self, page: HubPage) -> None:
        """The repository that was asked for."""
        self.room().discover.hub_page.show_page(page)

    def show_page_problem(self, notice: Notice) -> None:
        """The repository cannot be looked at."""
        self.room().discover.hub_page.show_problem(notice)

    def set_fit(self, figures: FitFigures) -> None:
        """What a model on the hub would take."""
        self.room().discover.hub_page.show_fit(figures)

    def show_fit_error(self, ref: str, error: Exception) -> None:
        """Why that cannot be told."""
        self.room().discover.hub_page.show_fit_error(ref, error)

    def _show_downloads(self, room: Room) -> None:
        room.downloads.set_downloads(self._snapshots)
        room.discover.hub_page.set_states(self._states())
        if self._free is not None:
            room.downloads.set_free_space(*self._free)

    def _states(self) -> dict[str, str]:
        """How what can be downloaded stands, by reference; "done" is what the library has."""
        states: dict[str, str] = {
            found.ref: found.status for found in self._snapshots if found.status not in ("done", "cancelled")
        }
        for entry in self._shelf.entries:
            if entry.source.startswith(_FROM_HUB) and not entry.is_missing:
                states[entry.source.removeprefix(_FROM_HUB)] = "done"
        return states
