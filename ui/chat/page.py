"""The right side of the window: header, conversation or welcome, notice, composer."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from storage.records import Conversation, Message
from ui import theme
from ui.chat.composer import Composer
from ui.chat.header import Header
from ui.chat.transcript import Transcript
from ui.chat.welcome import Welcome
from ui.notice_bar import NoticeBar

_LEAST_TRANSCRIPT_PX = 80


class ChatPage(QWidget):
    """One conversation, or the beginning of one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.header = Header()
        self.transcript = Transcript()
        self.welcome = Welcome()
        self.notice_bar = NoticeBar()
        self.composer = Composer()
        self._stack = QStackedWidget()
        self._stack.addWidget(self.welcome)
        self._stack.addWidget(self.transcript)
        self._drafts: dict[int | None, str] = {}
        self._conversation_id: int | None = None
        self._has_sent_first = False

        self._column = QWidget()
        below = QVBoxLayout(self._column)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(theme.SPACING)
        self._below = below
        below.addWidget(self.notice_bar)
        below.addWidget(self.composer)
        centred = QHBoxLayout()
        centred.setContentsMargins(16, 4, 16, 10)
        centred.addStretch(1)
        centred.addWidget(self._column, 1000)
        centred.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self._stack, 1)
        column.addLayout(centred)

        self.welcome.example_chosen.connect(self._on_example)
        self.composer.send_requested.connect(self._on_sent)
        self._fit_column()

    def show_conversation(self, conversation: Conversation | None, messages: Sequence[Message]) -> None:
        """Show a conversation, or with None the beginning of a new one; drafts stay with theirs."""
        new_id = conversation.id if conversation else None
        if new_id != self._conversation_id:
            self._change_draft(new_id)
        self._conversation_id = new_id
        self._has_sent_first = False
        self.transcript.set_messages(messages)
        self._show(self.transcript if messages else self.welcome)

    def show_transcript(self) -> None:
        """Leave the welcome: a first message has arrived."""
        self._show(self.transcript)

    def hold_notices(self) -> None:
        """Take the notice bar back from whoever had it."""
        self._below.insertWidget(0, self.notice_bar)

    def _show(self, page: QWidget) -> None:
        # A stack asks for the room of its tallest page, which the transcript does not need.
        self._stack.setMinimumHeight(_LEAST_TRANSCRIPT_PX if page is self.transcript else 0)
        self._stack.setCurrentWidget(page)

    def is_welcome(self) -> bool:
        """Whether there is no message yet."""
        return self._stack.currentWidget() is self.welcome

    def forget_draft(self, conversation_id: int) -> None:
        """A conversation was deleted, and what was being written in it goes too."""
        self._drafts.pop(conversation_id, None)

    def _change_draft(self, new_id: int | None) -> None:
        if self._conversation_id is None and self._has_sent_first:
            # The new conversation was just saved under its id: what is being typed belongs to it.
            return
        self._drafts[self._conversation_id] = self.composer.text()
        self.composer.set_text(self._drafts.pop(new_id, ""))

    def _on_sent(self, _text: str) -> None:
        self._has_sent_first = self._conversation_id is None

    def _on_example(self, prompt: str) -> None:
        self.composer.set_text(prompt)
        self.composer.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _fit_column(self) -> None:
        self._column.setMaximumWidth(theme.column_width() + 32)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit_column()
