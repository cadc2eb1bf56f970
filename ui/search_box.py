"""The field and the filter that say what is looked for among all conversations."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ui import filter_words
from ui.buttons import IconButton
from ui.filter_panel import FilterPanel
from ui.i18n import tr
from ui.labels import ElidedLabel
from ui.search_field import SearchField
from ui.values import Choices, Search

_DEBOUNCE_MS = 150


class SearchBox(QWidget):
    """A line to type into, the button of the filter, and below them what the filter leaves, if it does.

    Signals:
        changed: Search: what is looked for from now on; of a text, when its typing has paused.
        ended: The text is gone; `changed` follows.
        choices_wanted: The filter opens: which folders, tags and models are there?
    """

    changed = Signal(object)
    ended = Signal()
    choices_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = SearchField()
        self.filter_button = IconButton("filter", role="text_muted")
        self.filter_button.setCheckable(True)
        self.summary_label = ElidedLabel()
        self.summary_label.setProperty("muted", True)
        self.clear_button = IconButton("close", role="text_muted")
        self._panel: FilterPanel | None = None
        self._choices = Choices()
        self._conversation_id: int | None = None
        self._had_text = False
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.field, 1)
        line.addWidget(self.filter_button)
        self._limits = QWidget()
        below = QHBoxLayout(self._limits)
        below.setContentsMargins(8, 0, 0, 0)
        below.setSpacing(4)
        below.addWidget(self.summary_label, 1)
        below.addWidget(self.clear_button)
        self._limits.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self._limits)
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(_DEBOUNCE_MS)
        self._debounce.timeout.connect(self._tell)
        self.field.textChanged.connect(self._on_edited)
        self.filter_button.clicked.connect(self.open_filter)
        self.clear_button.clicked.connect(self.clear_filter)
        self._retranslate()

    def text(self) -> str:
        """What is looked for, without surrounding space."""
        return self.field.text().strip()

    def search(self) -> Search:
        """All of it."""
        if self._panel is None:
            return Search(self.text())
        return Search(self.text(), self._panel.where(), self._panel.order())

    def is_filtered(self) -> bool:
        """Whether something is left out."""
        return self.search().where != Search().where

    def set_choices(self, choices: Choices) -> None:
        """The folders, tags and models that there are."""
        self._choices = choices
        if self._panel is not None:
            self._panel.set_choices(choices)

    def set_conversation(self, conversation_id: int | None) -> None:
        """The conversation that is shown; None while it is not stored."""
        self._conversation_id = conversation_id
        if self._panel is not None:
            self._panel.set_conversation(conversation_id)

    def open_filter(self) -> None:
        """Show what can be left out."""
        self.filter_button.setChecked(self.is_filtered())
        self.choices_wanted.emit()
        self.panel().open_below(self.filter_button)

    def panel(self) -> FilterPanel:
        """The form of the filter."""
        if self._panel is None:
            self._panel = FilterPanel(self)
            self._panel.set_choices(self._choices)
            self._panel.set_conversation(self._conversation_id)
            self._panel.changed.connect(self._on_filtered)
        return self._panel

    def show_archive(self) -> None:
        """Limit the list to what is archived, and to nothing else."""
        self.field.clear()
        panel = self.panel()
        panel.clear()
        panel.archive_box.setChecked(True)

    def clear_filter(self) -> None:
        """Leave nothing out."""
        if self._panel is not None:
            self._panel.clear()

    def _on_filtered(self) -> None:
        self._show_limits()
        self._tell()

    def _on_edited(self) -> None:
        if self.text():
            self._had_text = True
            self._debounce.start()
        elif self._had_text:
            self._had_text = False
            self.ended.emit()
            self._tell()

    def _tell(self) -> None:
        self._debounce.stop()
        self.changed.emit(self.search())

    def _show_limits(self) -> None:
        words = filter_words.summary(self.search().where)
        self.summary_label.setText(words)
        self._limits.setVisible(bool(words))
        self.filter_button.setChecked(bool(words))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.field.setPlaceholderText(tr("Search"))
        self.field.setAccessibleName(tr("Search in all messages"))
        self.field.setToolTip("Ctrl+K")
        self.filter_button.set_name(tr("Filter"), "Ctrl+Shift+K")
        self.clear_button.set_name(tr("Clear the filter"))
        self._show_limits()
