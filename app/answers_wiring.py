"""Wires what can be done with an answer: another with other settings, and two beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Qt, Signal

from app.bridge import Bridge
from app.comparing import comparison
from app.controllers.chat import ChatController
from app.services import Services
from model_manager.types import ModelEntry
from storage.records import Message
from storage.store import Store
from ui.main_window import MainWindow


class AnswersWiring(QObject):
    """Opens the dialogs of an answer, imported at their first opening. Lives on the Qt thread.

    Signals:
        compared: Comparison.
    """

    compared = Signal(object)

    def __init__(
        self,
        window: MainWindow,
        services: Services,
        bridge: Bridge,
        chat: ChatController,
        entries: Callable[[], Sequence[ModelEntry]],
        show_error: Callable[[BaseException], None],
    ) -> None:
        super().__init__(window)
        self._window = window
        self._services = services
        self._bridge = bridge
        self._chat = chat
        self._entries = entries
        self._show_error = show_error
        window.page.transcript.rerun_requested.connect(self._open_rerun)
        window.page.transcript.compare_requested.connect(self._open_compare)

    def compare(self, first_id: int, second_id: int) -> None:
        """Read two answers and say where they differ; off the Qt thread."""

        def read(store: Store) -> tuple[Message, Message]:
            return store.conversations.message(first_id), store.conversations.message(second_id)

        self._bridge.run(
            lambda: comparison(*self._services.storage.call(read)), self.compared.emit, self._show_error
        )

    def _open_rerun(self, message: Message) -> None:
        from ui.chat.rerun_dialog import RerunDialog

        dialog = RerunDialog(message, [entry.name for entry in self._entries()], self._window)
        dialog.run_requested.connect(self._chat.rerun)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _open_compare(self, message: Message) -> None:
        from ui.chat.compare_dialog import CompareDialog

        dialog = CompareDialog(message.sibling_ids, message.id, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.wanted.connect(self.compare)
        self.compared.connect(dialog.set_comparison)
        dialog.compare()
        dialog.open()
