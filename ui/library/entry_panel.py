"""One entry of the library in full: what it is, whether it fits, how fast it was, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from model_manager.types import ModelEntry
from ui import icons, theme
from ui.buttons import IconButton
from ui.flow import FlowLayout
from ui.i18n import tr
from ui.library.entry_figures import EntryFigures
from ui.library.entry_file import EntryFile
from ui.library.entry_notes import EntryNotes
from ui.library.entry_words import fact_rows
from ui.library.fact_table import FactTable
from ui.library.values import ModelFigures


class EntryPanel(QFrame):
    """Shows an entry, and says what is to be done with it.

    Signals:
        close_requested: Back to the list.
        chat_requested, verify_requested, remove_requested, move_requested, quantize_requested: What was
            pressed.
        finish_move_requested, undo_move_requested: Of a move that was cut off.
        stop_requested: What is going on with its files shall end.
        annotate_requested: Name, tuple of tags, note.
    """

    close_requested = Signal()
    chat_requested = Signal()
    verify_requested = Signal()
    remove_requested = Signal()
    move_requested = Signal()
    quantize_requested = Signal()
    finish_move_requested = Signal()
    undo_move_requested = Signal()
    stop_requested = Signal()
    annotate_requested = Signal(str, object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("entry_panel")
        self._entry: ModelEntry | None = None
        self._is_working = False
        self._build()
        self._connect()
        self._retranslate()

    def _build(self) -> None:
        self.close_button = IconButton("close", role="text_muted")
        self.name_label = _label()
        self.name_label.setProperty("heading", True)
        self.chat_button = QPushButton()
        self.chat_button.setProperty("primary", True)
        self.verify_button = QPushButton(icons.icon("shield"), "")
        self.move_button = QPushButton(icons.icon("folder"), "")
        self.quantize_button = QPushButton(icons.icon("arrow-down"), "")
        self.finish_button = QPushButton(icons.icon("folder"), "")
        self.undo_button = QPushButton()
        self.remove_button = QPushButton(icons.icon("trash"), "")
        self.stop_button = QPushButton(icons.icon("stop"), "")
        self.facts = FactTable()
        self.figures = EntryFigures()
        self.file = EntryFile()
        self.notes = EntryNotes()

        head = QHBoxLayout()
        head.setSpacing(theme.SPACING)
        head.addWidget(self.name_label, 1)
        head.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        ways = QWidget()
        flow = FlowLayout(theme.SPACING, ways)
        for button in (
            self.chat_button,
            self.verify_button,
            self.move_button,
            self.quantize_button,
            self.finish_button,
            self.undo_button,
            self.remove_button,
            self.stop_button,
        ):
            flow.addWidget(button)
        inside = QWidget()
        inside.setObjectName("cards")
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(12)
        column.addLayout(head)
        for part in (ways, self.facts, self.figures, self.notes, self.file):
            column.addWidget(part)
        column.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.addWidget(area)

    def _connect(self) -> None:
        self.close_button.clicked.connect(self.close_requested)
        self.chat_button.clicked.connect(self.chat_requested)
        self.verify_button.clicked.connect(self.verify_requested)
        self.move_button.clicked.connect(self.move_requested)
        self.quantize_button.clicked.connect(self.quantize_requested)
        self.finish_button.clicked.connect(self.finish_move_requested)
        self.undo_button.clicked.connect(self.undo_move_requested)
        self.stop_button.clicked.connect(self.stop_requested)
        self.remove_button.clicked.connect(self.remove_requested)
        self.notes.changed.connect(self._on_notes)

    # --- values in ---

    def show_entry(self, entry: ModelEntry) -> None:
        """Show an entry; its figures come later unless it is the one that is shown."""
        is_other = self._entry is None or self._entry.name != entry.name
        if is_other:
            self.notes.keep()
            self._show_figures(None)
        self._entry = entry
        self.notes.show_words(entry.tags, entry.note, is_other=is_other)
        self._refresh()

    def show_figures(self, name: str, figures: ModelFigures) -> None:
        """What is known of the entry; of another one, it is left alone."""
        if self._entry is not None and name == self._entry.name:
            self._show_figures(figures)

    def set_working(self, is_working: bool) -> None:
        """Whether it is being verified, moved or made smaller: then its files are left alone."""
        self._is_working = is_working
        self._refresh_buttons()

    def entry(self) -> ModelEntry | None:
        """What is shown."""
        return self._entry

    # --- what is shown ---

    def _refresh(self) -> None:
        entry = self._entry
        if entry is None:
            return
        self.name_label.setText(entry.name)
        self.setAccessibleName(entry.name)
        self.facts.set_rows(fact_rows(entry))
        self.figures.setVisible(not entry.address and not entry.is_missing)
        self.notes.setVisible(not entry.address)
        self.file.show_paths(entry.paths)
        self._refresh_buttons()

    def _show_figures(self, figures: ModelFigures | None) -> None:
        self.figures.show_figures(figures)
        self.file.show_file(figures.file if figures is not None else None)

    def _on_notes(self, tags: tuple[str, ...], note: str) -> None:
        if self._entry is not None:
            self.annotate_requested.emit(self._entry.name, tags, note)

    def _refresh_buttons(self) -> None:
        entry = self._entry
        if entry is None:
            return
        has_files = not entry.address
        self.chat_button.setEnabled(not entry.is_missing or entry.is_starter)
        self.verify_button.setVisible(has_files)
        self.verify_button.setEnabled(not entry.is_missing and not self._is_working)
        is_halfway = entry.moving_to is not None and not self._is_working
        self.move_button.setVisible(has_files and not entry.is_starter and not is_halfway)
        self.move_button.setEnabled(not entry.is_missing and not self._is_working)
        self.quantize_button.setVisible(has_files and not is_halfway)
        self.quantize_button.setEnabled(not entry.is_missing and not self._is_working)
        self.finish_button.setVisible(is_halfway)
        self.undo_button.setVisible(is_halfway)
        self.stop_button.setVisible(self._is_working)
        self.remove_button.setVisible(not entry.is_starter)
        self.remove_button.setEnabled(not self._is_working)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.LanguageChange, QEvent.Type.FontChange):
            self._retranslate()

    def _retranslate(self) -> None:
        self.close_button.set_name(tr("Back to the list"), "Esc")
        self.chat_button.setText(tr("Chat with it"))
        self.verify_button.setText(tr("Verify"))
        self.verify_button.setToolTip(tr("Read every byte and compare it with its checksum"))
        self.move_button.setText(tr("Move…"))
        self.quantize_button.setText(tr("Make smaller…"))
        self.quantize_button.setToolTip(tr("Make a smaller model out of this one"))
        self.finish_button.setText(tr("Finish the move"))
        self.undo_button.setText(tr("Undo the move"))
        self.stop_button.setText(tr("Stop"))
        self.remove_button.setText(tr("Remove…"))
        self._refresh()


def _label() -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label
