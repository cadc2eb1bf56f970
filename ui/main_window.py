"""The window: it shows the values that it is given and says what a person wants. It decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow, QSplitter, QStackedWidget, QWidget

from model_manager.types import DownloadSnapshot, EngineState, ModelEntry
from storage.records import Conversation, Message, SearchHit
from ui import i18n, icons, theme, window_layout
from ui.chat.page import ChatPage
from ui.commands import Command, Commands
from ui.conversation_list import shown_title
from ui.dialogs import Dialogs
from ui.i18n import marked, tr
from ui.rooms import Rooms
from ui.sidebar import Sidebar
from ui.values import ConversationSettings, Notice

_SIDEBAR_WIDTH = 264


class MainWindow(QMainWindow):
    """The one window of the program.

    Everything is called on Qt's thread. Ids travel as `object`: Qt's int has 32 bits.

    Signals:
        new_conversation_requested: A fresh conversation, not saved before its first message.
        conversation_selected: id.
        hit_selected: SearchHit.
        send_requested: The message; the composer has been emptied (see `restore_draft`).
        stop_requested: The answer that is being made shall end.
        model_selected: Name in the library.
        conversation_settings_changed: `ConversationSettings`.
        notice_action_requested: The notice's `action_id`; "open_downloads", "open_settings" and
            "choose_model" have been carried out by the window already.
        setting_changed: key, value; look and language have changed already.
        closing: The window was asked to close and does.

    Attributes:
        sidebar, page, rooms: Its parts, with intentions and values of their own: all conversations, the one
            that is shown, the pages about models.
    """

    new_conversation_requested = Signal()
    conversation_selected = Signal(object)
    hit_selected = Signal(object)
    send_requested = Signal(str)
    stop_requested = Signal()
    model_selected = Signal(str)
    conversation_settings_changed = Signal(object)
    notice_action_requested = Signal(str)
    setting_changed = Signal(str, object)
    closing = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme.apply()
        self.setWindowTitle("Coterie")
        self.setWindowIcon(icons.icon("coterie", "accent"))
        self.setMinimumSize(560, 420)
        self.resize(1120, 760)
        self._conversation: Conversation | None = None
        self._settings: dict[str, Any] = {}
        self._model: ModelEntry | None = None
        self.sidebar = Sidebar()
        self.page = ChatPage()
        self.dialogs = Dialogs(self)
        self._right = QStackedWidget()
        self._right.addWidget(self.page)
        self.rooms = Rooms(self._right)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.addWidget(self.sidebar)
        self.splitter.addWidget(self._right)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setCollapsible(1, False)
        self.splitter.setSizes([_SIDEBAR_WIDTH, self.width() - _SIDEBAR_WIDTH])
        self.setCentralWidget(self.splitter)
        self.commands = Commands(self, self._command_table())
        self._connect_sidebar()
        self._connect_page()
        self._connect_rooms()
        self.show_conversation(None, [])
        self._refuse_without_model()
        self.page.composer.setFocus()

    def _command_table(self) -> list[Command]:
        separator = Command("")
        return [
            Command(marked("New conversation"), ("Ctrl+N",), self._on_new),
            Command(marked("Search"), ("Ctrl+K", "Ctrl+F"), self._on_search),
            Command(marked("Filter…"), ("Ctrl+Shift+K",), self._on_filter),
            Command(marked("Rename conversation"), ("Ctrl+Shift+R",), self._rename_current),
            Command(marked("Move to the trash"), ("Ctrl+Shift+Backspace",), self._throw_away_current),
            Command(marked("More for this conversation"), ("Ctrl+Shift+M",), self.page.header.open_menu),
            Command(marked("Conversation settings…"), ("Ctrl+Shift+,",), self._open_conversation_settings),
            separator,
            Command(marked("Choose a model"), ("Ctrl+M",), self._choose_model),
            Command(marked("Discover models"), ("Ctrl+D",), self.open_discover),
            Command(marked("Library"), ("Ctrl+L",), self.open_models),
            Command(marked("Downloads"), ("Ctrl+J",), self.open_downloads),
            Command(marked("Settings…"), ("Ctrl+,",), self.open_settings),
            separator,
            Command(marked("Go to the message field"), ("Ctrl+E",), self._focus_composer),
            Command(marked("Stop the answer"), ("Ctrl+.",), self.page.composer.stop),
            Command(marked("Show or hide the side bar"), ("Ctrl+B",), self.toggle_sidebar),
            Command(marked("Larger text"), ("Ctrl++", "Ctrl+="), lambda: self._zoom(1)),
            Command(marked("Smaller text"), ("Ctrl+-",), lambda: self._zoom(-1)),
            Command(marked("Normal text"), ("Ctrl+0",), lambda: self._zoom(0)),
            Command(marked("Full screen"), ("F11",), self._toggle_full_screen),
            Command(marked("Menu"), ("F10",), self._open_menu_below_button, in_menu=False),
            separator,
            Command(marked("Quit"), ("Ctrl+Q",), self.close),
        ]

    def _connect_sidebar(self) -> None:
        sidebar = self.sidebar
        sidebar.new_requested.connect(self._on_new)
        sidebar.menu_requested.connect(self.commands.open_menu)
        sidebar.discover_requested.connect(self.open_discover)
        sidebar.models_requested.connect(self.open_models)
        sidebar.downloads_requested.connect(self.open_downloads)
        sidebar.settings_requested.connect(self.open_settings)
        sidebar.conversation_chosen.connect(self._on_conversation_chosen)
        sidebar.hit_chosen.connect(self._on_hit_chosen)

    def _connect_page(self) -> None:
        page = self.page
        page.header.sidebar_toggled.connect(self.toggle_sidebar)
        page.header.settings_requested.connect(self._open_conversation_settings)
        page.header.menu_requested.connect(self._on_menu)
        page.header.picker.model_chosen.connect(self.model_selected)
        page.header.picker.downloads_requested.connect(self.open_discover)
        page.header.picker.models_requested.connect(self.open_models)
        page.welcome.downloads_requested.connect(self.open_discover)
        page.welcome.models_requested.connect(self.open_models)
        page.composer.send_requested.connect(self.send_requested)
        page.composer.stop_requested.connect(self.stop_requested)
        page.notice_bar.action_requested.connect(self._on_notice_action)

    def _connect_rooms(self) -> None:
        rooms = self.rooms
        rooms.changed.connect(self._on_room)
        rooms.left.connect(self.show_chat)
        rooms.sidebar_toggled.connect(self.toggle_sidebar)
        rooms.chat_requested.connect(self._on_chat_with)
        rooms.setting_changed.connect(self._on_setting_changed)
        rooms.notice_action_requested.connect(self._on_notice_action)
        self.dialogs.conversation_settings_changed.connect(self.conversation_settings_changed)
        self.dialogs.setting_changed.connect(self._on_setting_changed)

    # --- conversations ---

    def set_conversation(self, conversation: Conversation) -> None:
        """Take another state of the conversation that is shown; its messages are as they were."""
        if self._conversation is not None and conversation.id == self._conversation.id:
            self._conversation = conversation
            self._show_title()

    def show_conversation(self, conversation: Conversation | None, messages: Sequence[Message]) -> None:
        """Show a conversation from its root to its head; None begins a fresh one with the welcome."""
        self._conversation = conversation
        self.page.show_conversation(conversation, messages)
        self.sidebar.set_current(conversation.id if conversation else None)
        self._show_title()

    def add_message(self, message: Message) -> None:
        """Put a message below the last one."""
        self.page.show_transcript()
        self.page.transcript.add_message(message)

    def set_busy(self, is_busy: bool) -> None:
        """Whether an answer is being made."""
        self.page.composer.set_busy(is_busy)

    def restore_draft(self, text: str) -> None:
        """Give a message back that could not be sent, before whatever has been typed since."""
        typed = self.page.composer.text()
        self.page.composer.set_text(f"{text}\n{typed}" if typed.strip() else text)

    def _show_title(self) -> None:
        title = shown_title(self._conversation)
        self.page.header.set_title(title)
        self.page.header.set_stored(self._conversation is not None)
        if (room := self.rooms.current()) is not None:
            title = self.sidebar.room_name(room)
        self.setWindowTitle(f"{title} - Coterie" if room or self._conversation else "Coterie")

    # --- models and downloads ---

    def set_models(self, entries: Sequence[ModelEntry], current: str | None) -> None:
        """What the library holds, and the name of the model that answers here."""
        self._model = next((entry for entry in entries if entry.name == current), None)
        self.page.header.picker.set_models(entries, current)
        self.page.welcome.set_model(self._model)
        self._refuse_without_model()

    def set_engine_state(self, state: EngineState | None) -> None:
        """What the engine of the current model does; None while there is none."""
        self.page.header.picker.set_state(state)

    def set_downloads(self, snapshots: Sequence[DownloadSnapshot]) -> None:
        """All downloads at this moment."""
        active = [snapshot for snapshot in snapshots if snapshot.status in ("queued", "running", "verifying")]
        self.sidebar.set_n_active_downloads(len(active))
        self.rooms.set_downloads(snapshots)

    def _refuse_without_model(self) -> None:
        reason = "" if self._model else tr("Choose a model above before you send.")
        self.page.composer.set_refusal(reason)

    # --- notices and settings ---

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice above the composer in place of any other; None closes it."""
        self.page.notice_bar.show_notice(notice)

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """All settings; look, language and zoom follow at once."""
        self._settings = dict(settings)
        if "theme" in settings:
            theme.apply(settings["theme"])
        zoom = settings.get("zoom_percent") or 100
        if zoom != theme.zoom_percent():
            theme.set_zoom(zoom)
        self._speak(settings.get("language", "system"))
        self.dialogs.set_settings(settings)
        self.rooms.set_settings(settings)

    def _speak(self, choice: str) -> None:
        before = i18n.language()
        i18n.set_language(choice)
        if i18n.language() != before:
            self.dialogs.tell_language_changed()

    def _on_setting_changed(self, key: str, value: object) -> None:
        self.set_settings(self._settings | {key: value})
        self.setting_changed.emit(key, value)

    def _on_notice_action(self, action_id: str) -> None:
        doors = {
            "open_downloads": self.open_downloads,
            "open_settings": self.open_settings,
            "choose_model": self._choose_model,
        }
        if action_id in doors:
            doors[action_id]()
        self.notice_action_requested.emit(action_id)

    # --- rooms ---

    def open_discover(self) -> None:
        """Show what can be downloaded."""
        self.rooms.open("discover")

    def open_models(self) -> None:
        """Show the library."""
        self.rooms.open("library")

    def open_downloads(self) -> None:
        """Show the downloads."""
        self.rooms.open("downloads")

    def open_settings(self) -> None:
        """Show the settings."""
        self.dialogs.open_settings()

    def show_chat(self) -> None:
        """Show the conversation again."""
        if self._right.currentWidget() is not self.page:
            self.page.hold_notices()
            self._right.setCurrentWidget(self.page)
            self.sidebar.set_room("")
            self._show_title()
            self._focus_composer()

    def _choose_model(self) -> None:
        self.show_chat()
        self.page.header.picker.open_list()

    def _on_room(self, name: str) -> None:
        self.rooms.room().hold_notices(self.page.notice_bar)
        self.sidebar.set_room(name)
        self._show_title()

    def _on_chat_with(self, name: str) -> None:
        self.show_chat()
        self.model_selected.emit(name)

    def _on_conversation_chosen(self, conversation_id: int) -> None:
        self.show_chat()
        if self._conversation is None or self._conversation.id != conversation_id:
            self.conversation_selected.emit(conversation_id)

    def _on_hit_chosen(self, hit: SearchHit) -> None:
        self.show_chat()
        self.hit_selected.emit(hit)

    def _open_conversation_settings(self) -> None:
        conversation = self._conversation
        values = (
            ConversationSettings(conversation.title, conversation.system_prompt, conversation.sampling)
            if conversation
            else ConversationSettings("")
        )
        self.dialogs.open_conversation_settings(values, self._model.sampling if self._model else {})

    # --- the window itself ---

    def toggle_sidebar(self) -> None:
        """Show or hide the left side."""
        self.sidebar.setVisible(not self.sidebar.isVisible())

    def restore_layout(
        self, geometry_b64: str | None, state_b64: str | None, splitter: Sequence[int] | None
    ) -> None:
        """Put the window where it was; what cannot be read is ignored."""
        window_layout.restore(self, self.splitter, self.sidebar, geometry_b64, state_b64, splitter)

    def layout(self) -> dict[str, Any]:  # type: ignore[override]  # the contract's name; QWidget's is unused here
        """Where everything is, as values by setting key."""
        return window_layout.values(self, self.splitter, self.sidebar)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.dialogs.close_all()
        self.closing.emit()
        super().closeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.commands.retranslate()
            self._show_title()
            self._refuse_without_model()

    def _on_new(self) -> None:
        self.show_chat()
        self.new_conversation_requested.emit()
        self._focus_composer()

    def _on_search(self) -> None:
        self.sidebar.show()
        self.sidebar.focus_search()

    def _on_filter(self) -> None:
        self.sidebar.show()
        self.sidebar.open_filter()

    def _of_current(self, act: Callable[[Conversation], object]) -> None:
        """Do something with the conversation that is shown, if it is stored."""
        if self._conversation is not None:
            act(self._conversation)

    def export_current(self) -> None:
        """Ask for an export of the conversation that is shown."""
        self._of_current(self.sidebar.export_requested.emit)

    def _rename_current(self) -> None:
        self._of_current(self.sidebar.rename)

    def _throw_away_current(self) -> None:
        self._of_current(lambda conversation: self.sidebar.trash_requested.emit(conversation.id))

    def _on_menu(self, where: QPoint) -> None:
        self._of_current(lambda conversation: self.sidebar.open_menu(conversation, where))

    def _focus_composer(self) -> None:
        self.show_chat()
        self.page.composer.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _open_menu_below_button(self) -> None:
        button = self.sidebar.menu_button if self.sidebar.isVisible() else self.page.header.sidebar_button
        self.commands.open_menu(button.mapToGlobal(QPoint(0, button.height())))

    def _toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _zoom(self, direction: int) -> None:
        self._on_setting_changed("zoom_percent", theme.zoom_step(direction))
