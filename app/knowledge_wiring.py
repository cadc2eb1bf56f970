"""Wires collections of documents, and the passages of answers, to the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Qt

from app.controllers.chat import ChatController
from app.controllers.knowledge import KnowledgeController
from model_manager.types import ModelEntry
from storage.records import Conversation, Message
from ui.commands import Command
from ui.i18n import marked
from ui.knowledge.values import CitedPassage
from ui.main_window import MainWindow


class KnowledgeWiring(QObject):
    """Connects what the window shows of documents. Lives on the Qt thread.

    Its dialogs are imported at their first opening, so that the window starts fast.
    """

    def __init__(
        self,
        window: MainWindow,
        knowledge: KnowledgeController,
        chat: ChatController,
        entries: Callable[[], Sequence[ModelEntry]],
        show_error: Callable[[BaseException], None],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._entries = entries
        self._knowledge = knowledge
        button, transcript = window.page.composer.collection_button, window.page.transcript
        button.chosen.connect(knowledge.choose)
        button.dialog_requested.connect(self.open_dialog)
        knowledge.chosen.connect(button.set_name)
        knowledge.listed.connect(lambda rows, _name: button.set_collections(rows))
        knowledge.cited.connect(transcript.set_sources)
        knowledge.told.connect(window.show_notice)
        knowledge.failed.connect(show_error)
        transcript.passages_requested.connect(self._open_passages)
        chat.shown.connect(self._on_shown)
        chat.earlier.connect(lambda _last_id, messages: knowledge.look_up(messages))
        chat.message_added.connect(lambda message: knowledge.look_up([message]))
        window.commands.insert("Choose a model", [Command(marked("Documents…"), (), self.open_dialog)])

    def open_dialog(self) -> None:
        """Show the collections, of them the one that is used here."""
        from ui.knowledge.collections_dialog import CollectionsDialog

        dialog = CollectionsDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        knowledge = self._knowledge
        knowledge.listed.connect(dialog.set_collections)
        knowledge.documents_listed.connect(dialog.set_documents)
        knowledge.progressed.connect(dialog.set_progress)
        dialog.documents_wanted.connect(knowledge.list_documents)
        dialog.add_requested.connect(knowledge.add)
        dialog.refresh_requested.connect(knowledge.refresh)
        dialog.model_chosen.connect(knowledge.choose_model)
        dialog.source_removed.connect(knowledge.remove_source)
        dialog.remove_requested.connect(knowledge.remove)
        dialog.stop_requested.connect(knowledge.stop)
        dialog.set_models([entry.name for entry in self._entries()])
        knowledge.refresh_list(knowledge.collection)
        dialog.open()

    def _on_shown(self, conversation: Conversation | None, messages: Sequence[Message]) -> None:
        self._knowledge.show(conversation.id if conversation else None, messages)

    def _open_passages(self, passages: Sequence[CitedPassage], number: int | None) -> None:
        from ui.knowledge.passages_dialog import PassagesDialog

        dialog = PassagesDialog(passages, number, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
