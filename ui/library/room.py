"""The pages about models in one frame: Discover, Library and Downloads, with the notices below."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from ui import theme
from ui.buttons import IconButton
from ui.i18n import tr
from ui.library.discover_page import DiscoverPage
from ui.library.downloads_page import DownloadsPage
from ui.library.library_page import LibraryPage
from ui.notice_bar import NoticeBar

RoomPage = Literal["discover", "library", "downloads"]
PAGES: tuple[RoomPage, ...] = ("discover", "library", "downloads")


class Room(QWidget):
    """Three pages behind three tabs.

    Signals:
        page_chosen: One of `PAGES`, by its tab.
        sidebar_toggled: The side bar is to be shown or hidden.
        left: Back to the conversation.
    """

    page_chosen = Signal(str)
    sidebar_toggled = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.discover = DiscoverPage()
        self.library = LibraryPage()
        self.downloads = DownloadsPage()
        self._pages: dict[RoomPage, DiscoverPage | LibraryPage | DownloadsPage] = {
            "discover": self.discover,
            "library": self.library,
            "downloads": self.downloads,
        }
        self.sidebar_button = IconButton("sidebar", role="text_muted")
        self.leave_button = IconButton("close", role="text_muted")
        self.tabs: dict[RoomPage, QToolButton] = {}
        self._group = QButtonGroup(self)
        head = QHBoxLayout()
        head.setContentsMargins(theme.SPACING, theme.SPACING, 12, 0)
        head.setSpacing(4)
        head.addWidget(self.sidebar_button)
        for name in PAGES:
            tab = QToolButton()
            tab.setObjectName("tab")
            tab.setCheckable(True)
            tab.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            tab.clicked.connect(lambda _checked=False, name=name: self.page_chosen.emit(name))
            self._group.addButton(tab)
            self.tabs[name] = tab
            head.addWidget(tab)
        head.addStretch(1)
        head.addWidget(self.leave_button)
        self.stack = QStackedWidget()
        for page in self._pages.values():
            self.stack.addWidget(page)
        self._below = QVBoxLayout()
        self._below.setContentsMargins(20, 0, 20, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.stack, 1)
        column.addLayout(self._below)
        self.sidebar_button.clicked.connect(self.sidebar_toggled)
        self.leave_button.clicked.connect(self.left)
        self._retranslate()

    def show_page(self, name: RoomPage) -> None:
        """Open a page, with the keyboard where one begins there."""
        self.tabs[name].setChecked(True)
        self.stack.setCurrentWidget(self._pages[name])
        self._pages[name].take_focus()

    def page(self) -> RoomPage:
        """Which one is open."""
        return next(name for name, page in self._pages.items() if page is self.stack.currentWidget())

    def hold_notices(self, bar: NoticeBar) -> None:
        """The one notice bar of the window stands here while these pages are seen."""
        self._below.addWidget(bar)
        self._below.setContentsMargins(20, 0, 20, 12)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return
        super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.sidebar_button.set_name(tr("Show or hide the side bar"), "Ctrl+B")
        self.leave_button.set_name(tr("Back to the conversation"), "Esc")
        words = {"discover": tr("Discover"), "library": tr("Library"), "downloads": tr("Downloads")}
        for name, tab in self.tabs.items():
            tab.setText(words[name])
            tab.setAccessibleName(words[name])
