"""The field in which a sent message is written anew, in its place in the transcript."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from ui import theme
from ui.chat.style import Style
from ui.i18n import tr


class MessageEditor(QFrame):
    """A text of several lines with Save and Cancel; Ctrl+Enter saves, Esc cancels.

    Signals:
        saved: The new text (str), not empty and not the old one.
        cancelled: Nothing is to change.
        height_changed: It wants another height.
    """

    saved = Signal(str)
    cancelled = Signal()
    height_changed = Signal()

    def __init__(self, text: str, style: Style, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("messageEditor")
        self._before = text
        self._style = style
        self.field = QPlainTextEdit(text)
        self.field.setFont(style.body)
        self.field.setFrameShape(QFrame.Shape.NoFrame)
        self.field.setTabChangesFocus(True)
        self.field.setAccessibleName(tr("Edit your message"))
        self.field.installEventFilter(self)
        self.field.textChanged.connect(self._on_text_changed)
        self.field.moveCursor(QTextCursor.MoveOperation.End)
        self.save_button = QPushButton(tr("Save and send"))
        self.save_button.setProperty("primary", True)
        self.save_button.clicked.connect(self._save)
        self.cancel_button = QPushButton(tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancelled)
        hint = QLabel(tr("A new version is kept beside the old one."))
        hint.setProperty("muted", True)
        hint.setFont(style.small)
        row = QHBoxLayout()
        row.setSpacing(theme.SPACING)
        row.addWidget(hint, 1)
        row.addWidget(self.cancel_button)
        row.addWidget(self.save_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 10, 10)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.field)
        column.addLayout(row)
        self._hint = hint
        self._dress()
        self._on_text_changed()

    def wanted_height(self, width: int) -> int:
        """Height for a width: three to twelve lines and the buttons."""
        document = self.field.document()
        document.setTextWidth(max(80, width - 40))
        layout = document.documentLayout()
        lines = layout.documentSize().height()  # QPlainTextEdit counts lines, not pixels
        line = self.field.fontMetrics().lineSpacing()
        buttons = self.save_button.sizeHint().height()
        return round(min(max(lines, 2), 12) * line + 14 + buttons + 20 + theme.SPACING)

    def set_style(self, style: Style) -> None:
        """Take other fonts or colours."""
        self._style = style
        self.field.setFont(style.body)
        self._dress()

    def _dress(self) -> None:
        c = self._style.colors
        self.setStyleSheet(
            f"#messageEditor {{ background: {c.surface_raised.name()}; border: 1px solid {c.accent.name()};"
            f" border-radius: 12px; }}"
            f"#messageEditor QPlainTextEdit {{ background: transparent; border: none; padding: 0; }}"
        )

    def _on_text_changed(self) -> None:
        text = self.field.toPlainText().strip()
        self.save_button.setEnabled(bool(text) and text != self._before.strip())
        self.height_changed.emit()

    def _save(self) -> None:
        if self.save_button.isEnabled():
            self.saved.emit(self.field.toPlainText().strip())

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]  # the stub names QResizeEvent, as it is
        self._hint.setVisible(self.width() > self._style.em * 28)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.field and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Escape:
                self.cancelled.emit()
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and (
                event.modifiers() & Qt.KeyboardModifier.ControlModifier
            ):
                self._save()
                return True
        return super().eventFilter(watched, event)
