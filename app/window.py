"""Wires the window's intentions to the controllers, and their values to the window."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices

from app.answers_wiring import AnswersWiring
from app.bridge import Bridge, Latest
from app.care_wiring import CareWiring
from app.controllers import library
from app.controllers.attachments import AttachmentsController
from app.controllers.chat import ChatController
from app.controllers.conversations import ConversationsController
from app.controllers.discover import DiscoverController
from app.controllers.downloads import DownloadsController
from app.controllers.exchange import STOP, ExchangeController
from app.controllers.knowledge import KnowledgeController
from app.controllers.library import LibraryController
from app.controllers.network import NetworkController
from app.conversations_wiring import ConversationsWiring
from app.knowledge_wiring import KnowledgeWiring
from app.services import Services
from app.words import notice_for
from model_manager.types import DownloadSnapshot, EngineState, ModelEntry
from storage.records import Message
from ui import formats
from ui.exchange_dialogs import ExchangeDialogs
from ui.i18n import tr
from ui.library.values import Shelf
from ui.main_window import MainWindow
from ui.tray import Tray
from ui.values import Notice

log = logging.getLogger(__name__)

# The window itself opens these; nothing is left to do here.
_DOORS = ("open_downloads", "open_settings", "choose_model")


class WindowWiring(QObject):
    """Connects one window with one set of services. Lives on the Qt thread."""

    def __init__(self, window: MainWindow, services: Services, bridge: Bridge) -> None:
        super().__init__(window)
        self._window = window
        self._services = services
        self._bridge = bridge
        self._entries: Sequence[ModelEntry] = ()
        self.chat = ChatController(services, bridge, self)
        self.conversations = ConversationsController(services, bridge, self)
        self.library = LibraryController(services, bridge, self)
        self.downloads = DownloadsController(services, bridge, self)
        self.discover = DiscoverController(services, bridge, self)
        self.network = NetworkController(services, bridge, self)
        self.attachments = AttachmentsController(services, bridge, self)
        self.exchange = ExchangeController(services, bridge, self)
        self.exchange_dialogs = ExchangeDialogs(window)
        self._tray = Tray(window)
        self._engine_states: Latest[EngineState] = Latest(bridge, self._on_engine_state)
        services.engines.subscribe(self._engine_states.offer)
        self._shelf = ConversationsWiring(window, services, self.conversations, self.chat, self.show_error)
        self.knowledge = KnowledgeController(services, bridge, self)
        KnowledgeWiring(window, self.knowledge, self.chat, lambda: self._entries, self.show_error)
        AnswersWiring(window, services, bridge, self.chat, lambda: self._entries, self.show_error)
        self._connect_chat()
        self._connect_models()
        self._connect_discover()
        self._connect_exchange()
        self.care = CareWiring(window, services, bridge, self)
        self._shelf.erase_requested.connect(self.care.controller.erase)
        self.care.controller.deleted.connect(self.conversations.refresh)
        self.care.controller.deleted.connect(self.conversations.list_trash)
        window.notice_action_requested.connect(self._on_notice_action)
        window.setting_changed.connect(self._on_setting_changed)
        self._connect_network()

    def begin(self) -> None:
        """Show what there was at the last end."""
        window, services = self._window, self._services
        settings = services.settings()
        window.set_settings(settings)
        window.restore_layout(
            settings["window_geometry"], settings["window_state"], settings["splitter_sizes"]
        )
        self._on_shelf(self.library.shelf())
        self.conversations.refresh()
        self.conversations.list_choices()
        self.knowledge.refresh_list()
        self.downloads.publish()
        if services.n_interrupted:
            window.show_notice(
                Notice(
                    "info",
                    tr("The last answer was cut off when the program ended. What had arrived is kept."),
                )
            )
        last_id = settings["last_conversation_id"]
        if last_id is not None:
            self._shelf.open_again(last_id)

    def look_again(self) -> None:
        """Show what a command beside the window may have done to the conversations."""
        self.conversations.refresh()
        self.conversations.list_choices()

    def end(self) -> None:
        """Keep the layout, stop what runs."""
        layout = self._window.layout() | {"last_conversation_id": self.chat.conversation_id}
        for key, value in layout.items():
            self._services.set_setting(key, value)
        self.chat.stop_all()
        self.knowledge.stop()
        self.library.close()
        self.downloads.close()
        self.discover.close()
        self.exchange.stop()
        self.care.close()

    def show_error(self, error: BaseException) -> None:
        """Say it in the notice bar."""
        notice = notice_for(error)
        log.info("notice: %s", notice.sentence)
        self._window.show_notice(notice)

    def _connect_chat(self) -> None:
        window, chat = self._window, self.chat
        window.new_conversation_requested.connect(chat.new_conversation)
        window.conversation_selected.connect(chat.open_conversation)
        window.send_requested.connect(self._on_send)
        window.stop_requested.connect(chat.stop)
        window.page.transcript.earlier_requested.connect(chat.load_earlier)
        chat.earlier.connect(window.page.transcript.add_earlier)
        window.page.transcript.attachments_requested.connect(self.attachments.load)
        self.attachments.loaded.connect(window.page.transcript.show_attachments)
        self.attachments.failed.connect(self.show_error)
        window.page.transcript.conclude_requested.connect(chat.conclude)
        window.page.transcript.continue_requested.connect(chat.go_on)
        chat.answered.connect(self._on_answered)
        window.page.composer.thinking_button.changed.connect(chat.set_sampling)
        chat.sampling_changed.connect(window.page.composer.thinking_button.set_values)
        window.page.transcript.regenerate_requested.connect(chat.regenerate)
        window.page.transcript.edit_requested.connect(chat.edit)
        window.page.transcript.version_requested.connect(chat.select_version)
        window.model_selected.connect(chat.select_model)
        window.conversation_settings_changed.connect(chat.configure)
        chat.shown.connect(window.show_conversation)
        chat.message_added.connect(window.add_message)
        chat.message_replaced.connect(window.page.transcript.replace_message)
        chat.streamed.connect(window.page.transcript.apply_stream)
        chat.busy_changed.connect(window.set_busy)
        chat.draft_returned.connect(window.restore_draft)
        chat.failed.connect(self.show_error)
        chat.conversations_changed.connect(self.conversations.refresh)
        chat.model_changed.connect(lambda _name: self._show_models())

    def _connect_models(self) -> None:
        rooms, models, downloads = self._window.rooms, self.library, self.downloads
        rooms.import_requested.connect(models.import_path)
        rooms.verify_requested.connect(models.verify)
        rooms.remove_requested.connect(models.remove)
        rooms.import_from_requested.connect(models.import_from)
        rooms.duplicates_requested.connect(models.find_duplicates)
        rooms.move_requested.connect(models.move)
        rooms.quantize_requested.connect(models.quantize)
        rooms.undo_move_requested.connect(models.undo_move)
        rooms.stop_requested.connect(models.stop)
        models.told.connect(self._window.show_notice)
        models.doubled.connect(rooms.set_duplicates)
        rooms.annotate_requested.connect(models.annotate)
        rooms.figures_requested.connect(models.figure)
        models.listed.connect(self._on_shelf)
        models.figured.connect(rooms.set_figures)
        models.progressed.connect(rooms.set_model_progress)
        models.verified.connect(self._on_verified)
        models.failed.connect(self.show_error)
        rooms.download_requested.connect(downloads.add)
        rooms.download_paused.connect(downloads.pause)
        rooms.download_resumed.connect(downloads.resume)
        rooms.download_cancelled.connect(downloads.cancel)
        rooms.download_moved.connect(downloads.move)
        rooms.downloads_paused.connect(downloads.pause_all)
        rooms.downloads_resumed.connect(downloads.resume_all)
        downloads.published.connect(self._window.set_downloads)
        downloads.room_changed.connect(rooms.set_free_space)
        downloads.finished.connect(self._on_downloaded)
        downloads.stopped.connect(self._on_download_stopped)
        downloads.failed.connect(self.show_error)

    def _connect_discover(self) -> None:
        rooms, discover = self._window.rooms, self.discover
        rooms.suggestions_requested.connect(discover.suggest)
        rooms.search_requested.connect(discover.search)
        rooms.page_requested.connect(discover.open)
        rooms.fit_requested.connect(discover.judge)
        rooms.link_chosen.connect(lambda href: QDesktopServices.openUrl(QUrl(href)))
        discover.suggested.connect(rooms.set_suggestions)
        discover.found.connect(rooms.set_found)
        discover.search_failed.connect(lambda error: rooms.show_search_problem(_asking_notice(error)))
        discover.page_found.connect(rooms.set_hub_page)
        discover.page_failed.connect(lambda error: rooms.show_page_problem(_asking_notice(error)))
        discover.fit_found.connect(rooms.set_fit)
        discover.fit_failed.connect(rooms.show_fit_error)

    def _connect_exchange(self) -> None:
        window, dialogs, exchange = self._window, self.exchange_dialogs, self.exchange
        window.commands.insert("Choose a model", dialogs.commands(window.export_current))
        window.sidebar.export_requested.connect(dialogs.export)
        dialogs.import_requested.connect(exchange.import_path)
        dialogs.export_requested.connect(exchange.export)
        dialogs.export_all_requested.connect(exchange.export_all)
        dialogs.examples_requested.connect(exchange.export_examples)
        exchange.told.connect(window.show_notice)
        exchange.imported.connect(self.look_again)
        exchange.failed.connect(self.show_error)

    def _connect_network(self) -> None:
        dialogs, network = self._window.dialogs, self.network
        dialogs.requests_wanted.connect(network.list_requests)
        dialogs.token_wanted.connect(network.look_at_token)
        dialogs.token_given.connect(network.set_token)
        dialogs.token_forgotten.connect(network.forget_token)
        network.listed.connect(dialogs.set_requests)
        network.token_known.connect(dialogs.set_token)
        network.failed.connect(self.show_error)

    def _on_send(self, text: str) -> None:
        self._window.show_notice(None)
        self.chat.send(text, self.knowledge.finder(text))

    def _on_answered(self, answer: Message) -> None:
        """A context that has filled up leaves a choice."""
        if answer.generation is None or answer.generation.stop_reason != "context_full":
            return
        if answer.conversation_id != self.chat.conversation_id:
            return
        ways = [(tr("Leave out the oldest turns"), "drop"), (tr("Sum up the oldest turns"), "summary")]
        choices = [(label, f"go_on:{answer.id}:{fit}") for label, fit in ways]
        if (n_ctx_tokens := self.chat.larger_context()) is not None:
            label = tr("Context of {n} tokens", n=formats.number(n_ctx_tokens))
            choices.append((label, f"larger:{answer.id}:{n_ctx_tokens}"))
        self._window.show_notice(
            Notice(
                "warning",
                tr("The context is full; what was written is kept. How shall the answer go on?"),
                choices=tuple(choices),
            )
        )

    def _on_shelf(self, shelf: Shelf) -> None:
        self._entries = shelf.entries
        self._window.rooms.set_shelf(shelf)
        self._show_models()

    def _show_models(self) -> None:
        names = {entry.name for entry in self._entries}
        current = self.chat.model if self.chat.model in names else None
        self._window.set_models(self._entries, current)
        address = next((entry.address for entry in self._entries if entry.name == current), "")
        self._window.page.composer.set_address(address)
        state = self._services.engines.state_of(current) if current is not None else None
        self._show_engine(state)

    def _on_engine_state(self, state: EngineState) -> None:
        if state.name == self.chat.model:
            self._show_engine(state)
        if state.error is not None:
            self.show_error(state.error)

    def _show_engine(self, state: EngineState | None) -> None:
        self._window.set_engine_state(state)
        info = state.info if state is not None else None
        button = self._window.page.composer.thinking_button
        button.setVisible(info is not None and info.can_think)
        button.set_takes_effort(info is not None and info.takes_effort)

    def _on_verified(self, entry: ModelEntry) -> None:
        self._window.show_notice(
            Notice("info", tr("{name} is intact: every byte is what it should be.", name=entry.name))
        )

    def _on_downloaded(self, snapshot: DownloadSnapshot) -> None:
        words = tr("{name} has been downloaded and verified.", name=snapshot.name)
        self._tray.tell(tr("Download complete"), words)
        self._window.show_notice(Notice("info", words, tr("Choose a model"), "choose_model"))

    def _on_download_stopped(self, snapshot: DownloadSnapshot) -> None:
        if snapshot.error is None:
            return
        notice = notice_for(snapshot.error)
        self._tray.tell(tr("The download of {name} has stopped", name=snapshot.name), notice.sentence)
        if self._window.rooms.current() != "downloads":  # there its row says it
            self._window.show_notice(replace(notice, action=tr("Open downloads"), action_id="open_downloads"))

    def _on_notice_action(self, action_id: str) -> None:
        if action_id in _DOORS or self._shelf.undo(action_id):
            return
        self._window.show_notice(None)
        if action_id == "restart_engine":
            self.chat.load_model()
        elif action_id == "retry":
            self.chat.retry()
        elif action_id.startswith("go_on:"):
            _, message_id, fit = action_id.split(":")
            self.chat.go_on(int(message_id), "summary" if fit == "summary" else "drop")
        elif action_id.startswith("larger:"):
            _, message_id, n_ctx_tokens = action_id.split(":")
            self.chat.go_on_larger(int(message_id), int(n_ctx_tokens))
        elif action_id == STOP:
            self.exchange.stop()
        elif action_id == library.STOP:
            self.library.stop_search()
        elif action_id == "show_log":
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._services.paths.log_file)))

    def _on_setting_changed(self, key: str, value: object) -> None:
        self._bridge.run(
            lambda: self._services.set_setting(key, value),
            lambda _nothing: self._after_setting(key),
            self._on_setting_refused,
        )

    def _on_setting_refused(self, error: Exception) -> None:
        self.show_error(error)
        self._window.set_settings(self._services.settings())

    def _after_setting(self, key: str) -> None:
        if key == "language" and self._window.rooms.current() == "discover":
            self.discover.suggest()  # a line of each entry is written in the language in use
        if key in ("models_dir", "hub_endpoint", "modelscope_endpoint"):
            self._window.show_notice(
                Notice("info", tr("This takes effect when Coterie is started the next time."))
            )


def _asking_notice(error: Exception) -> Notice:
    """What went wrong with the hub; where no setting helps, asking again may."""
    notice = notice_for(error)
    if notice.action_id == "open_settings":
        return replace(notice, choices=((tr("Try again"), "retry"),))
    return replace(notice, action=tr("Try again"), action_id="retry")
