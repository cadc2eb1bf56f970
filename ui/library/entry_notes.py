"""A person's own words about a model: tags to find it by, and a note."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from ui.i18n import tr

_NOTE_LINES = 3


class EntryNotes(QWidget):
    """Two fields; what was written is kept when one of them is left.

    Signals:
        changed: Tuple of tags, note.
    """

    changed = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept: tuple[tuple[str, ...], str] = ((), "")
        self.tags_label = QLabel()
        self.tags_field = QLineEdit()
        self.tags_label.setBuddy(self.tags_field)
        self.note_label = QLabel()
        self.note_field = QPlainTextEdit()
        self.note_label.setBuddy(self.note_field)
        self.note_field.setTabChangesFocus(True)
        for label in (self.tags_label, self.note_label):
            label.setProperty("heading", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for part in (self.tags_label, self.tags_field, self.note_label, self.note_field):
            column.addWidget(part)
        self.tags_field.editingFinished.connect(self.keep)
        self.note_field.installEventFilter(self)
        self._retranslate()

    def show_words(self, tags: Sequence[str], note: str, *, is_other: bool) -> None:
        """Show what is kept.

        Args:
            tags: Of the model.
            note: Likewise.
            is_other: It is another model than before; of the same one, what is being written stays.
        """
        words = tuple(tags), note
        if words == self._kept and not is_other:
            return
        self._kept = words
        if is_other or not self.tags_field.hasFocus():
            self.tags_field.setText(", ".join(tags))
        if is_other or not self.note_field.hasFocus():
            self.note_field.setPlainText(note)

    def keep(self) -> None:
        """Say what was written, if it is something else."""
        words = self._words()
        if words != self._kept:
            self._kept = words
            self.changed.emit(*words)

    def _words(self) -> tuple[tuple[str, ...], str]:
        written = self.tags_field.text().replace("，", ",").split(",")
        tags = {" ".join(tag.split()).removeprefix("#") for tag in written} - {""}
        return tuple(sorted(tags)), self.note_field.toPlainText().strip()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.note_field and event.type() == QEvent.Type.FocusOut:
            self.keep()
        return False

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.FontChange):
            self._retranslate()

    def _retranslate(self) -> None:
        self.tags_label.setText(tr("Tags"))
        self.tags_field.setPlaceholderText(tr("words, with commas between"))
        self.note_label.setText(tr("Note"))
        for field, name in ((self.tags_field, tr("Tags")), (self.note_field, tr("Note"))):
            field.setAccessibleName(name)
        self.note_field.setFixedHeight(self.note_field.fontMetrics().lineSpacing() * _NOTE_LINES + 18)
