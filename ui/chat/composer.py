"""Where a message is written: grows with it, sends on Enter, stops an answer."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QInputMethodEvent, QKeyEvent, QTextOption
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import icons, theme
from ui.chat.thinking_button import ThinkingButton
from ui.i18n import tr
from ui.knowledge.collection_button import CollectionButton

N_LINES_MAX = 8


class PromptField(QPlainTextEdit):
    """A plain text field of one to eight lines.

    Signals:
        submitted: Enter was pressed and no input method is composing.
        escaped: Escape was pressed.
        focus_changed: Whether it has the focus.
    """

    submitted = Signal()
    escaped = Signal()
    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_composing = False
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(2)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._fit()

    def _fit(self) -> None:
        # A QPlainTextDocumentLayout counts its height in lines.
        n_lines = max(1, min(N_LINES_MAX, round(self.document().documentLayout().documentSize().height())))
        height = n_lines * self.fontMetrics().lineSpacing() + 2 * int(self.document().documentMargin()) + 2
        if height != self.height() or self.maximumHeight() != height:
            self.setFixedHeight(height)
        is_full = self.document().documentLayout().documentSize().height() > N_LINES_MAX
        self.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAsNeeded if is_full else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        # While an input method composes, Enter belongs to it: it takes the candidate, it never sends.
        if is_enter and not self._is_composing:
            if event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier):
                # A paragraph, not Qt's line separator, so that the text holds a plain "\n".
                self.textCursor().insertBlock()
                self.ensureCursorVisible()
            else:
                self.submitted.emit()
            return
        if event.key() == Qt.Key.Key_Escape and not self._is_composing:
            self.escaped.emit()
            return
        super().keyPressEvent(event)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        self._is_composing = bool(event.preeditString())
        super().inputMethodEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._is_composing = False
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()


class Composer(QWidget):
    """The prompt field with its one button: Send, or Stop while an answer is being made.

    Signals:
        send_requested: The message, without surrounding space; the field has been emptied.
        stop_requested: Stop or Escape was pressed while busy.
    """

    send_requested = Signal(str)
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer_area")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._is_busy = False
        self._reason = ""
        self._address = ""
        self.frame = QFrame()
        self.frame.setObjectName("composer")
        self.field = PromptField()
        self.button = QToolButton()
        self.button.setObjectName("send_button")
        self.button.setIconSize(QSize(20, 20))
        self.hint_label = QLabel()
        self.hint_label.setProperty("muted", True)
        self.hint_label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.hint_label.setWordWrap(True)

        self.thinking_button = ThinkingButton()
        self.thinking_button.hide()
        self.collection_button = CollectionButton()
        below = QHBoxLayout()
        below.setSpacing(theme.SPACING)
        below.addWidget(self.thinking_button)
        below.addWidget(self.collection_button)
        below.addStretch(1)

        inside = QGridLayout(self.frame)
        inside.setContentsMargins(14, 8, 8, 8)
        inside.setHorizontalSpacing(theme.SPACING)
        inside.setVerticalSpacing(4)
        inside.setColumnStretch(0, 1)
        inside.addWidget(self.field, 0, 0, Qt.AlignmentFlag.AlignVCenter)
        inside.addLayout(below, 1, 0)
        inside.addWidget(self.button, 0, 1, 2, 1, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.frame)
        column.addWidget(self.hint_label)
        self.setFocusProxy(self.field)

        self.field.submitted.connect(self._on_submitted)
        self.field.escaped.connect(self.stop)
        self.field.textChanged.connect(self._refresh)
        self.field.focus_changed.connect(self._on_focus_changed)
        self.button.clicked.connect(self._on_button)
        self._retranslate()

    def text(self) -> str:
        """What has been typed and not sent."""
        return self.field.toPlainText()

    def set_text(self, text: str) -> None:
        """Replace what has been typed and put the cursor at its end."""
        self.field.setPlainText(text)
        cursor = self.field.textCursor()
        cursor.movePosition(cursor.MoveOperation.End)
        self.field.setTextCursor(cursor)

    def set_busy(self, is_busy: bool) -> None:
        """Whether an answer is being made: the button stops it and Enter waits."""
        self._is_busy = is_busy
        self._refresh()

    def set_refusal(self, reason: str) -> None:
        """Why nothing can be sent now, as a sentence; empty when it can. Writing stays possible."""
        self._reason = reason
        self._refresh()

    def set_address(self, address: str) -> None:
        """Where the model answers, if that is another machine; empty for this one."""
        self._address = address
        self._refresh()

    def can_send(self) -> bool:
        """Whether Enter would send."""
        return not self._is_busy and not self._reason and bool(self.text().strip())

    def _on_submitted(self) -> None:
        if not self.can_send():
            return
        text = self.text().strip()
        self.field.clear()
        self.send_requested.emit(text)

    def stop(self) -> None:
        """Ask for the end of the answer that is being made; nothing when there is none."""
        if self._is_busy:
            self.stop_requested.emit()

    def _on_button(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()
        else:
            self._on_submitted()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_focus_changed(self, has_focus: bool) -> None:
        self.frame.setProperty("focused", has_focus)
        self.frame.style().unpolish(self.frame)
        self.frame.style().polish(self.frame)

    def _refresh(self) -> None:
        name = tr("Stop") if self._is_busy else tr("Send")
        self.button.setIcon(icons.icon("stop" if self._is_busy else "send", "accent_text"))
        self.button.setAccessibleName(name)
        self.button.setToolTip(
            f"{name}  ({'Esc' if self._is_busy else 'Enter'})" if not self._reason else self._reason
        )
        self.button.setEnabled(self._is_busy or self.can_send())
        self.hint_label.setText(self._reason or self._promise())

    def _promise(self) -> str:
        if self._address:
            return tr("Answers can be wrong. What you write goes to {address}.", address=self._address)
        return tr("Answers can be wrong. Everything stays on this computer.")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.field.setPlaceholderText(tr("Write a message…"))
        self.field.setAccessibleName(tr("Message"))
        self.field.setAccessibleDescription(tr("Enter sends, Shift+Enter starts a new line."))
        self.field.setToolTip(tr("Enter sends, Shift+Enter starts a new line."))
        self._refresh()
