"""The left side of the window: a new conversation, search, the list, and the doors to the other rooms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from storage.records import Conversation, SearchHit
from ui import icons, theme
from ui.buttons import IconButton, RowButton
from ui.conversation_list import ConversationList
from ui.conversation_menu import ConversationMenu
from ui.conversation_rows import ConversationDelegate
from ui.i18n import tr
from ui.name_dialog import NameDialog
from ui.rows_view import RowsView
from ui.search_box import SearchBox
from ui.search_hits import HitDelegate, SearchHits
from ui.values import Choices


class Sidebar(QWidget):
    """Conversations, found messages, and what leads elsewhere.

    Signals:
        new_requested, menu_requested (where), discover_requested, models_requested, downloads_requested,
        settings_requested: What was pressed.
        conversation_chosen: id; also of the one that is shown already.
        more_requested: id of the last one in the list; `add_conversations` brings those below it.
        rename_requested: id, title.
        export_requested: Conversation.
        trash_requested: id; it can be restored from there.
        shelved: Shelving: where a conversation is to stand from now on.
        search_changed: Search: what to look for, and what the list is limited to.
        more_hits_requested: The last one that was found is in sight.
        choices_wanted: The filter opens; `set_choices` brings what there is.
        hit_chosen: SearchHit.
    """

    new_requested = Signal()
    menu_requested = Signal(QPoint)
    discover_requested = Signal()
    models_requested = Signal()
    downloads_requested = Signal()
    settings_requested = Signal()
    conversation_chosen = Signal(object)
    more_requested = Signal(object)
    rename_requested = Signal(object, str)
    trash_requested = Signal(object)
    shelved = Signal(object)
    export_requested = Signal(object)
    search_changed = Signal(object)
    more_hits_requested = Signal()
    choices_wanted = Signal()
    hit_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(200)
        self._current_id: int | None = None
        self._choices = Choices()
        self._n_active = 0
        self._waiting: Callable[[], None] | None = None
        self._build()
        self._connect()
        self._retranslate()

    def _build(self) -> None:
        self.brand = QLabel("Coterie")
        self.brand.setFont(theme.font(1.15, self.brand.font().Weight.DemiBold))
        self._mark = QLabel()
        self._paint_mark()
        self.menu_button = IconButton("menu")
        self.new_button = RowButton("compose")
        self.search_box = SearchBox()
        self.search_field = self.search_box.field
        self.conversations = ConversationList(self)
        self.list_view = RowsView()
        self.list_view.setModel(self.conversations)
        self.list_view.setItemDelegate(ConversationDelegate(self.list_view))
        self.hits = SearchHits(self)
        self.hits_view = RowsView()
        self.hits_view.setModel(self.hits)
        self.hits_view.setItemDelegate(HitDelegate(self.hits_view))
        self.empty_label = QLabel()
        self.empty_label.setWordWrap(True)
        self.empty_label.setProperty("muted", True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.empty_label.setContentsMargins(16, 24, 16, 16)
        self.pages = QStackedWidget()
        for page in (self.list_view, self.hits_view, self.empty_label):
            self.pages.addWidget(page)
        self.discover_button = RowButton("discover")
        self.models_button = RowButton("library")
        self.downloads_button = RowButton("download")
        self.settings_button = RowButton("settings")

        top = QHBoxLayout()
        top.setContentsMargins(theme.SPACING, 0, 0, 0)
        top.addWidget(self._mark)
        top.addWidget(self.brand, 1)
        top.addWidget(self.menu_button)
        head = QVBoxLayout()
        head.setContentsMargins(theme.SPACING, theme.SPACING, theme.SPACING, 0)
        head.setSpacing(theme.SPACING)
        head.addLayout(top)
        head.addWidget(self.new_button)
        head.addWidget(self.search_box)
        foot = QVBoxLayout()
        foot.setContentsMargins(theme.SPACING, theme.SPACING, theme.SPACING, theme.SPACING)
        foot.setSpacing(0)
        self._rooms = {
            "discover": self.discover_button,
            "library": self.models_button,
            "downloads": self.downloads_button,
        }
        for button in self._rooms.values():
            button.setCheckable(True)
        for button in (*self._rooms.values(), self.settings_button):
            foot.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        column.addLayout(head)
        column.addWidget(self.pages, 1)
        column.addLayout(foot)

    def _connect(self) -> None:
        self.new_button.clicked.connect(self.new_requested)
        self.menu_button.clicked.connect(
            lambda: self.menu_requested.emit(
                self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft())
            )
        )
        self.discover_button.clicked.connect(self.discover_requested)
        self.models_button.clicked.connect(self.models_requested)
        self.downloads_button.clicked.connect(self.downloads_requested)
        self.settings_button.clicked.connect(self.settings_requested)
        self.list_view.chosen.connect(self._on_conversation_chosen)
        self.list_view.delete_pressed.connect(self._on_delete_pressed)
        self.list_view.menu_requested.connect(self._on_context_menu)
        self.list_view.itemDelegate().closeEditor.connect(self._on_editor_closed)
        self.conversations.rename_requested.connect(self.rename_requested)
        self.conversations.more_requested.connect(self.more_requested)
        self.hits_view.chosen.connect(self._on_hit_chosen)
        self.hits.more_requested.connect(self.more_hits_requested)
        self.search_field.left_downwards.connect(lambda: self._enter_rows(choose=False))
        self.search_field.returnPressed.connect(lambda: self._enter_rows(choose=True))
        self.search_box.ended.connect(lambda: self.set_hits(None))
        self.search_box.changed.connect(self.search_changed)
        self.search_box.choices_wanted.connect(self.choices_wanted)

    # --- values in ---

    def set_conversations(
        self, conversations: Sequence[Conversation], current_id: int | None, *, has_more: bool = False
    ) -> None:
        """Show the list and mark the current one; waits while a title is being typed.

        Args:
            conversations: The first of them, in their order.
            current_id: None marks none.
            has_more: There are others; `more_requested` asks for them.
        """
        if self.list_view.is_editing():
            self._waiting = lambda: self.set_conversations(conversations, current_id, has_more=has_more)
            return
        self._waiting = None
        scroll = self.list_view.verticalScrollBar().value()
        self.conversations.set_conversations(conversations, has_more=has_more)
        self.list_view.verticalScrollBar().setValue(scroll)
        self.set_current(current_id)
        self._show_page()

    def add_conversations(self, after: int, more: Sequence[Conversation], has_more: bool) -> None:
        """Show what stands below the last one, whose id is `after`."""
        self.conversations.add_conversations(after, more, has_more)
        if not self.list_view.currentIndex().isValid():
            bar = self.list_view.verticalScrollBar()
            scroll = bar.value()
            self.list_view.setCurrentIndex(self.conversations.index_of(self._current_id))
            bar.setValue(scroll)  # the list would go there, away from what is looked at

    def set_choices(self, choices: Choices) -> None:
        """What the menus of conversations and the filter offer."""
        self._choices = choices
        self.search_box.set_choices(choices)

    def set_current(self, conversation_id: int | None) -> None:
        """Mark a conversation as the one that is shown; None for a new one."""
        moved = conversation_id != self._current_id
        self._current_id = conversation_id
        self.search_box.set_conversation(conversation_id)
        index = self.conversations.index_of(conversation_id)
        self.list_view.setCurrentIndex(index)
        if not index.isValid():
            self.list_view.clearSelection()
        elif moved:
            self.list_view.scrollTo(index)

    def set_hits(self, hits: Sequence[SearchHit] | None, has_more: bool = False) -> None:
        """Show what was found; None shows the conversations. Ignored when the search field is empty.

        Args:
            hits: The first of them.
            has_more: There are others; `more_hits_requested` asks for them.
        """
        self.hits.set_hits(hits or (), has_more)
        self._show_page(found=hits)

    def set_n_active_downloads(self, n_active: int) -> None:
        """Say beside "Downloads" how many are under way."""
        self._n_active = n_active
        self.downloads_button.set_words(f"{tr('Downloads')}  ·  {n_active}" if n_active else tr("Downloads"))

    def set_room(self, name: str) -> None:
        """Mark the page about models that is seen; "" for the conversation."""
        for room, button in self._rooms.items():
            button.setChecked(room == name)

    def room_name(self, name: str) -> str:
        """What a page is called here."""
        return self._rooms[name].accessibleName().partition("  ")[0]

    # --- what a person does ---

    def search_text(self) -> str:
        """What is looked for, without surrounding space."""
        return self.search_box.text()

    def open_filter(self) -> None:
        """Show what the list and the search can be limited to."""
        self.search_box.open_filter()

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self.search_field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search_field.selectAll()

    def rename(self, conversation: Conversation) -> None:
        """Edit a title in its place in the list, or beside it where it is not seen there."""
        index = self.conversations.index_of(conversation.id)
        if index.isValid() and self.list_view.isVisible():
            self.list_view.setCurrentIndex(index)
            self.list_view.edit(index)
        elif title := NameDialog.ask(self.window(), tr("Title"), text=conversation.title):
            self.rename_requested.emit(conversation.id, title)

    def open_menu(self, conversation: Conversation, where: QPoint) -> None:
        """Offer what can be done with a conversation, at a place on the screen."""
        menu = ConversationMenu(conversation, self._choices, self.window())
        menu.rename_requested.connect(lambda: self.rename(conversation))
        menu.export_requested.connect(lambda: self.export_requested.emit(conversation))
        menu.trash_requested.connect(lambda: self.trash_requested.emit(conversation.id))
        menu.shelved.connect(self.shelved)
        menu.popup(where)

    def _on_conversation_chosen(self, index: QModelIndex) -> None:
        conversation = self.conversations.conversation(index)
        if conversation is not None:
            self.conversation_chosen.emit(conversation.id)

    def _on_hit_chosen(self, index: QModelIndex) -> None:
        self.hit_chosen.emit(self.hits.hit(index))

    def _on_delete_pressed(self, index: QModelIndex) -> None:
        conversation = self.conversations.conversation(index)
        if conversation is not None:
            self.trash_requested.emit(conversation.id)

    def _on_context_menu(self, index: QModelIndex, where: QPoint) -> None:
        conversation = self.conversations.conversation(index)
        if conversation is not None:
            self.open_menu(conversation, where)

    def _on_editor_closed(self) -> None:
        if self._waiting is not None:
            QTimer.singleShot(0, self, self._waiting)

    def _show_page(self, found: Sequence[SearchHit] | None = None) -> None:
        is_searching = bool(self.search_text())
        if is_searching and found is None and self.pages.currentWidget() is not self.list_view:
            return
        if is_searching and found is not None:
            shown, is_empty = self.hits_view, not found
        else:
            shown, is_empty = self.list_view, not self.conversations.rowCount()
        self.empty_label.setText(self._nothing(is_searching))
        self.pages.setCurrentWidget(self.empty_label if is_empty else shown)

    def _nothing(self, is_searching: bool) -> str:
        """What stands where nothing does."""
        is_filtered = self.search_box.is_filtered()
        if is_searching:
            words = tr("Nothing found for “{text}”.", text=self.search_text())
            return f"{words}\n{tr('The filter leaves out the rest.')}" if is_filtered else words
        if is_filtered:
            return tr("The filter leaves no conversation.")
        return tr("Your conversations will be listed here. They stay on this computer.")

    def _enter_rows(self, *, choose: bool) -> None:
        view = self.pages.currentWidget()
        if not isinstance(view, RowsView):
            return
        if view is self.hits_view and view.model().rowCount():
            view.setCurrentIndex(view.model().index(0, 0))
            if choose:
                view.chosen.emit(view.currentIndex())
        view.setFocus(Qt.FocusReason.OtherFocusReason)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        elif event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.brand.setFont(theme.font(1.15, self.brand.font().Weight.DemiBold))
            self._paint_mark()

    def _paint_mark(self) -> None:
        ratio = self.devicePixelRatioF()
        self._mark.setPixmap(icons.pixmap("coterie", 22, theme.colors().accent, ratio))

    def _retranslate(self) -> None:
        self.menu_button.set_name(tr("Menu"), "F10")
        self.new_button.set_words(tr("New conversation"))
        self.new_button.setToolTip("Ctrl+N")
        self.list_view.setAccessibleName(tr("Conversations"))
        self.hits_view.setAccessibleName(tr("Found messages"))
        self.discover_button.set_words(tr("Discover"))
        self.models_button.set_words(tr("Library"))
        self.settings_button.set_words(tr("Settings"))
        self.set_n_active_downloads(self._n_active)
        self.conversations.retranslate()
        self._show_page()
