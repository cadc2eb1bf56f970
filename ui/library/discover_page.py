"""Finding a model: the catalogue to begin with, and the hub's search."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from model_manager.types import Source
from ui import formats, theme
from ui.flow import FlowLayout
from ui.i18n import marked, tr, trn
from ui.library.face_view import FaceView
from ui.library.found_words import found_faces, suggestion_faces
from ui.library.hub_page_view import HubPageView
from ui.library.values import FoundModel, SearchWish, SortOrder, Suggestions
from ui.notice_bar import NoticeBar
from ui.search_field import SearchField
from ui.values import Notice

_SORTS: tuple[tuple[SortOrder, str], ...] = (
    ("downloads", marked("Most downloaded")),
    ("trending", marked("Trending")),
    ("likes", marked("Most liked")),
    ("modified", marked("Newest")),
)
_SOURCES: tuple[tuple[str, Source], ...] = (("Hugging Face", "hub"), ("ModelScope", "modelscope"))
_LICENSES = ("apache-2.0", "mit", "gemma", "llama3.1", "llama3.3", "llama4", "other")
_REFERENCE = re.compile(r"(?:modelscope:)?[\w.-]+/[\w.-]+(?::[\w.-]+)?|https?://\S+", re.ASCII)
"""What names one repository, so that there is nothing to look for."""
_AUTHOR = re.compile(r"(?P<author>[\w.-]+)/(?:\s+(?P<text>.*))?", re.ASCII)
"""Whose models are looked for, and words behind it."""
_MORE = 30
_MOST = 150


class DiscoverPage(QStackedWidget):
    """The list, and the page of one repository over it.

    Signals:
        search_requested: `SearchWish`.
        page_requested: A repository, or a reference that names one.
        fit_requested: Reference of a model, tokens of context (0 for the usual), type of keys and values.
        download_requested: Reference of a model.
        link_chosen: Address of a web page.
        notice_action_requested: What the button of an error means.
    """

    search_requested = Signal(object)
    page_requested = Signal(str)
    fit_requested = Signal(str, int, str)
    download_requested = Signal(str)
    link_chosen = Signal(str)
    notice_action_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._suggestions: Suggestions | None = None
        self._found: tuple[FoundModel, ...] | None = None
        self._wish = SearchWish()
        self._is_busy = False
        self._build()
        self._connect()
        self._retranslate()

    def _build(self) -> None:
        self.search_field = SearchField()
        self.search_button = QPushButton()
        self.search_button.setProperty("primary", True)
        self.source_box = QComboBox()
        self.sort_box = QComboBox()
        self.license_box = QComboBox()
        self.moe_box = QCheckBox()
        self.reasoning_box = QCheckBox()
        self.fits_box = QCheckBox()
        self.state_label = QLabel()
        self.state_label.setProperty("muted", True)
        self.state_label.setWordWrap(True)
        self.problem_bar = NoticeBar()
        self.view = FaceView()
        self.more_button = QPushButton()

        row = QHBoxLayout()
        row.setSpacing(theme.SPACING)
        row.addWidget(self.source_box)
        self.source_box.setMinimumWidth(72)  # in a narrow window it gives way to the words
        self.search_field.setMinimumWidth(140)
        row.addWidget(self.search_field, 1)
        row.addWidget(self.search_button)
        filters = QWidget()
        flow = FlowLayout(12, filters)
        for widget in (self.sort_box, self.license_box, self.moe_box, self.reasoning_box, self.fits_box):
            flow.addWidget(widget)
        self.list_page = QWidget()
        column = QVBoxLayout(self.list_page)
        column.setContentsMargins(20, 12, 20, 12)
        column.setSpacing(theme.SPACING)
        column.addLayout(row)
        column.addWidget(filters)
        column.addWidget(self.problem_bar)
        column.addWidget(self.state_label)
        column.addWidget(self.view, 1)
        column.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignHCenter)
        self.hub_page = HubPageView()
        self.addWidget(self.list_page)
        self.addWidget(self.hub_page)

    def _connect(self) -> None:
        self.search_field.returnPressed.connect(self._search)
        self.search_button.clicked.connect(self._search)
        self.search_field.textChanged.connect(self._on_text)
        for box in (self.source_box, self.sort_box, self.license_box):
            box.currentIndexChanged.connect(self._on_filter)
        for check in (self.moe_box, self.reasoning_box, self.fits_box):
            check.toggled.connect(self._on_filter)
        self.view.face_chosen.connect(self.open_page)
        self.more_button.clicked.connect(self._on_more)
        self.problem_bar.action_requested.connect(self._on_problem)
        self.search_field.left_downwards.connect(self.view.enter)
        page = self.hub_page
        page.back_requested.connect(self.show_list)
        page.retry_requested.connect(self.page_requested)
        page.fit_requested.connect(self.fit_requested)
        page.download_requested.connect(self.download_requested)
        page.link_chosen.connect(self.link_chosen)
        page.notice_action_requested.connect(self.notice_action_requested)

    # --- values in ---

    def set_suggestions(self, suggestions: Suggestions) -> None:
        """The catalogue; shown while nothing is looked for."""
        self._suggestions = suggestions
        if self._found is None and not self._is_busy:
            self._show_rows()

    def set_found(self, found: tuple[FoundModel, ...]) -> None:
        """What the hub has for the last wish; ignored when nothing is wished for any more."""
        if not self._is_busy:
            return
        self._found = found
        self._is_busy = False
        self.problem_bar.show_notice(None)
        self._show_rows()

    def show_search_problem(self, notice: Notice) -> None:
        """The search has failed; the rows of before stay."""
        if not self._is_busy:
            return
        self._is_busy = False
        self.problem_bar.show_notice(notice)
        self._show_rows()

    # --- what a person does ---

    def open_page(self, repo_id: str) -> None:
        """Show the page of a repository; its contents are asked for."""
        self.hub_page.show_waiting(repo_id)
        self.setCurrentWidget(self.hub_page)
        self.hub_page.back_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self.page_requested.emit(repo_id)

    def show_list(self) -> None:
        """Back to the rows, where they were left."""
        self.setCurrentWidget(self.list_page)
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def take_focus(self) -> None:
        """Put the keyboard where one begins."""
        if self.currentWidget() is self.list_page:
            self.search_field.setFocus(Qt.FocusReason.OtherFocusReason)

    def wish(self) -> SearchWish:
        """What is set now."""
        words = self.search_field.text().strip()
        whose = _AUTHOR.fullmatch(words)
        return SearchWish(
            text=words if whose is None else whose["text"] or "",
            author=whose["author"] if whose is not None else "",
            sort=self.sort_box.currentData() or "downloads",
            moe_only=self.moe_box.isChecked(),
            reasoning_only=self.reasoning_box.isChecked(),
            fits_only=self.fits_box.isChecked(),
            license_name=self.license_box.currentData() or "",
            source=self.source_box.currentData() or "hub",
            limit=self._wish.limit,
        )

    def _search(self) -> None:
        text = self.search_field.text().strip()
        if _REFERENCE.fullmatch(text):
            self.open_page(text)
            return
        self._wish = SearchWish(limit=_MORE)
        self._ask()

    def _ask(self) -> None:
        self._wish = self.wish()
        self._is_busy = True
        self.problem_bar.show_notice(None)
        self._show_state()
        self.search_requested.emit(self._wish)

    def _on_more(self) -> None:
        self._wish = SearchWish(limit=min(_MOST, self._wish.limit + _MORE))
        self._ask()

    def _on_text(self, text: str) -> None:
        if not text and (self._found is not None or self._is_busy):
            # An empty field leads back to the beginning; what is still on its way is not shown.
            self._found, self._is_busy = None, False
            self.problem_bar.show_notice(None)
            self._show_rows()

    def _on_filter(self) -> None:
        if self._found is not None or self._is_busy:
            self._search()
        else:
            self._show_rows()

    def _on_problem(self, action_id: str) -> None:
        if action_id == "retry":
            self._ask()
        else:
            self.notice_action_requested.emit(action_id)

    # --- what is shown ---

    def is_showing_catalogue(self) -> bool:
        """Whether the rows are the catalogue's."""
        return self._found is None

    def _show_rows(self) -> None:
        if self._found is not None:
            self.view.set_faces(found_faces(self._found))
        elif self._suggestions is not None:
            self.view.set_faces(suggestion_faces(self._wanted(self._suggestions)))
        self._show_state()

    def _wanted(self, suggestions: Suggestions) -> Suggestions:
        """Of the catalogue, what the filters leave; all of it are mixtures."""
        wish = self.wish()
        entries = (
            entry
            for entry in suggestions.entries
            if (entry.reasoning != "none" or not wish.reasoning_only)
            and (entry.verdict in ("fits", "tight") or not wish.fits_only)
            and wish.license_name in ("", _license_choice(entry.license))
        )
        return replace(suggestions, entries=tuple(entries))

    def _show_state(self) -> None:
        found = self._found
        can_be_more = found is not None and len(found) >= self._wish.limit and self._wish.limit < _MOST
        self.more_button.setVisible(can_be_more and not self._is_busy)
        if self._is_busy:
            words = tr("Asking the hub…")
            if self._wish.fits_only:
                words = tr("Asking the hub, and reading the header of each model…")
        elif found is None:
            words = self._catalogue_words()
        elif not found:
            words = tr("Nothing was found. Try fewer or other words, or leave out a filter.")
        else:
            words = trn("{n} model", "{n} models", len(found))
        self.state_label.setText(words)
        self.view.setAccessibleDescription(words)

    def _catalogue_words(self) -> str:
        suggestions = self._suggestions
        if suggestions is None:
            return ""
        if not self.view.faces.rowCount():
            return tr("None of the models to begin with is so. Search the hub, or leave out a filter.")
        memory = formats.size(suggestions.ram_bytes)
        if not suggestions.tier_gib:
            return tr(
                "Models to begin with. This computer has {size} of memory, too little for any of them.",
                size=memory,
            )
        return tr(
            "Models to begin with; this computer has {size} of memory. What is not verified is checked on"
            " the hub when you open it.",
            size=memory,
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.currentWidget() is self.hub_page:
            self.show_list()
            return
        super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.search_field.setPlaceholderText(tr("Search the hub: a name, owner/ or owner/repository"))
        self.search_field.setAccessibleName(tr("Search the hub"))
        self.search_button.setText(tr("Search"))
        self.moe_box.setText(tr("Mixtures of experts"))
        self.reasoning_box.setText(tr("Reasoning"))
        self.fits_box.setText(tr("Fits here"))
        self.fits_box.setToolTip(tr("Reads the header of each model; takes about a second for each."))
        self.more_button.setText(tr("Show more"))
        self.view.setAccessibleName(tr("Models that can be downloaded"))
        self._fill(self.source_box, tr("Where to search"), list(_SOURCES))
        self._fill(self.sort_box, tr("Order"), [(tr(words), key) for key, words in _SORTS])
        self._fill(
            self.license_box,
            tr("Licence"),
            [(tr("Any licence"), ""), *((name, name) for name in _LICENSES)],
        )
        self._show_rows()

    @staticmethod
    def _fill(box: QComboBox, name: str, choices: Sequence[tuple[str, str]]) -> None:
        kept = max(0, box.currentIndex())
        box.blockSignals(True)
        box.clear()
        for words, key in choices:
            box.addItem(words, key)
        box.setCurrentIndex(kept)
        box.blockSignals(False)
        box.setAccessibleName(name)
        box.setToolTip(name)


def _license_choice(name: str) -> str:
    """Which choice of the box a licence is."""
    return name.lower() if name.lower() in _LICENSES else "other"
