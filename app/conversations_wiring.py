"""Wires the list of conversations, the search and the trash to the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal

from app.controllers.chat import ChatController
from app.controllers.conversations import ConversationsController
from app.services import Services
from storage.errors import NoSuchConversation
from storage.records import Conversation
from storage.store import Store
from ui.commands import Command
from ui.conversation_list import shown_title
from ui.folders_dialog import FoldersDialog
from ui.i18n import marked, tr
from ui.main_window import MainWindow
from ui.trash_dialog import TrashDialog
from ui.values import Notice, Shelving

_RESTORE: Final = "restore"
_UNARCHIVE: Final = "unarchive"


class ConversationsWiring(QObject):
    """Connects what the window shows of all conversations. Lives on the Qt thread.

    Signals:
        erase_requested: Tuple of ids that shall be deleted without a trace; confirmed.
    """

    erase_requested = Signal(object)

    def __init__(
        self,
        window: MainWindow,
        services: Services,
        conversations: ConversationsController,
        chat: ChatController,
        show_error: Callable[[BaseException], None],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._services = services
        self._conversations = conversations
        self._chat = chat
        sidebar, transcript = window.sidebar, window.page.transcript
        sidebar.rename_requested.connect(conversations.rename)
        sidebar.trash_requested.connect(self._on_trash)
        sidebar.shelved.connect(conversations.shelve)
        sidebar.search_changed.connect(conversations.search)
        sidebar.more_requested.connect(conversations.list_more)
        sidebar.more_hits_requested.connect(conversations.find_more)
        sidebar.choices_wanted.connect(conversations.list_choices)
        transcript.rating_requested.connect(conversations.rate)
        window.hit_selected.connect(chat.open_at)
        window.commands.insert(
            "Choose a model",
            [
                Command(marked("Folders…"), (), self._open_folders),
                Command(marked("Show the archive"), (), self._show_archive),
                Command(marked("Trash…"), (), self._open_trash),
            ],
        )
        conversations.listed.connect(self._on_listed)
        conversations.more_listed.connect(sidebar.add_conversations)
        conversations.chosen_from.connect(sidebar.set_choices)
        conversations.thrown_away.connect(self._on_thrown_away)
        conversations.archived.connect(self._on_archived)
        conversations.rated.connect(transcript.replace_message)
        conversations.found.connect(window.sidebar.set_hits)
        conversations.failed.connect(show_error)
        conversations.described.connect(window.set_conversation)
        conversations.vanished.connect(chat.forget)
        chat.reached.connect(
            lambda hit: transcript.scroll_to(hit.message_id, in_reasoning=hit.part == "reasoning")
        )

    def open_again(self, conversation_id: int) -> None:
        """Show what was shown at the last end, if it still lies where it can be seen."""
        if self._services.storage.call(lambda store: _can_be_seen(store, conversation_id)):
            self._chat.open_conversation(conversation_id)

    def undo(self, action_id: str) -> bool:
        """Take back what a notice told of; False where the notice is not one of these."""
        action, _, conversation_id = action_id.partition(":")
        if action not in (_RESTORE, _UNARCHIVE):
            return False
        self._window.show_notice(None)
        if action == _RESTORE:
            self._conversations.restore([int(conversation_id)])
        else:
            self._conversations.shelve(Shelving(int(conversation_id), "unarchive"))
        return True

    def _on_listed(self, conversations: list[Conversation], has_more: bool) -> None:
        shown_id = self._chat.conversation_id
        self._window.sidebar.set_conversations(conversations, shown_id, has_more=has_more)
        if shown_id is not None:
            self._conversations.describe(shown_id)

    def _on_trash(self, conversation_id: int) -> None:
        self._chat.forget(conversation_id)
        self._conversations.throw_away(conversation_id)

    def _on_thrown_away(self, conversation: Conversation) -> None:
        words = tr("“{title}” is in the trash.", title=shown_title(conversation))
        self._offer_undo(words, f"{_RESTORE}:{conversation.id}")

    def _on_archived(self, conversation: Conversation) -> None:
        words = tr("“{title}” is in the archive; search still finds it.", title=shown_title(conversation))
        self._offer_undo(words, f"{_UNARCHIVE}:{conversation.id}")

    def _offer_undo(self, words: str, action_id: str) -> None:
        self._window.show_notice(Notice("info", words, tr("Undo"), action_id))

    def _on_gone(self, ids: Sequence[int]) -> None:
        for conversation_id in ids:
            self._window.page.forget_draft(conversation_id)

    def _open_folders(self) -> None:
        dialog = FoldersDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._conversations.folders_listed.connect(dialog.set_folders)
        dialog.rename_requested.connect(self._conversations.rename_folder)
        dialog.remove_requested.connect(self._conversations.remove_folder)
        self._conversations.list_folders()
        dialog.open()

    def _show_archive(self) -> None:
        self._window.sidebar.show()
        self._window.sidebar.search_box.show_archive()

    def _open_trash(self) -> None:
        dialog = TrashDialog(int(self._services.setting("trash_days")), self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._conversations.trash_listed.connect(dialog.set_conversations)
        dialog.restore_requested.connect(self._conversations.restore)
        dialog.delete_requested.connect(self._conversations.delete)
        dialog.delete_requested.connect(self._on_gone)
        dialog.erase_requested.connect(self.erase_requested)
        dialog.erase_requested.connect(self._on_gone)
        self._conversations.list_trash()
        dialog.open()


def _can_be_seen(store: Store, conversation_id: int) -> bool:
    try:
        return store.conversations.get(conversation_id).deleted_at is None
    except NoSuchConversation:
        return False
