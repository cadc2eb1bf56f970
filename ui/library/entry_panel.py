"""One entry of the library in full: what it is, whether it fits, how fast it was, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from model_manager.types import ModelEntry
from ui import formats, icons, theme
from ui.buttons import IconButton
from ui.flow import FlowLayout
from ui.i18n import tr
from ui.library.entry_words import fact_rows
from ui.library.fit_panel import FitPanel
from ui.library.values import ModelFigures
from ui.text import sentence

_PATHS_SHOWN = 4


class EntryPanel(QFrame):
    """Shows an entry, and says what is to be done with it.

    Signals:
        close_requested: Back to the list.
        chat_requested, verify_requested, remove_requested, move_requested: What was pressed.
    """

    close_requested = Signal()
    chat_requested = Signal()
    verify_requested = Signal()
    remove_requested = Signal()
    move_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("entry_panel")
        self._entry: ModelEntry | None = None
        self._figures: ModelFigures | None = None
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
        self.remove_button = QPushButton(icons.icon("trash"), "")
        self.facts_widget = QWidget()
        self.facts = QFormLayout(self.facts_widget)
        self.facts.setContentsMargins(0, 0, 0, 0)
        self.facts.setHorizontalSpacing(16)
        self.facts.setVerticalSpacing(4)
        self.facts.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        self.fit_title = QLabel()
        self.fit_title.setProperty("heading", True)
        self.fit_panel = FitPanel()
        self.fit_panel.set_changeable(False)
        self.probe_label = _label()
        self.loaded_label = _label()
        self.measured_label = _label()
        self.failure_label = _label()
        self.failure_label.setProperty("error", True)
        self.paths_title = QLabel()
        self.paths_title.setProperty("heading", True)
        self.paths_view = QPlainTextEdit()
        self.paths_view.setReadOnly(True)
        self.paths_view.setTabChangesFocus(True)

        head = QHBoxLayout()
        head.setSpacing(theme.SPACING)
        head.addWidget(self.name_label, 1)
        head.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        ways = QWidget()
        flow = FlowLayout(theme.SPACING, ways)
        for button in (self.chat_button, self.verify_button, self.move_button, self.remove_button):
            flow.addWidget(button)
        inside = QWidget()
        inside.setObjectName("cards")
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(12)
        column.addLayout(head)
        for part in (
            ways,
            self.failure_label,
            self.facts_widget,
            self.fit_title,
            self.fit_panel,
            self.probe_label,
            self.loaded_label,
            self.measured_label,
            self.paths_title,
            self.paths_view,
        ):
            column.addWidget(part)
        self._column = column
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
        self.remove_button.clicked.connect(self.remove_requested)

    # --- values in ---

    def show_entry(self, entry: ModelEntry) -> None:
        """Show an entry; its figures come later unless it is the one that is shown."""
        if self._entry is None or self._entry.name != entry.name:
            self._figures = None
        self._entry = entry
        self._refresh()

    def show_figures(self, name: str, figures: ModelFigures) -> None:
        """What is known of the entry; of another one, it is left alone."""
        if self._entry is not None and name == self._entry.name:
            self._figures = figures
            self._refresh()

    def set_working(self, is_working: bool) -> None:
        """Whether it is being verified or moved: then its files are left alone."""
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
        while self.facts.rowCount():
            self.facts.removeRow(0)
        for name, value in fact_rows(entry, self._figures.file if self._figures is not None else None):
            title, words = QLabel(name), _label()
            title.setProperty("muted", True)
            title.setAlignment(Qt.AlignmentFlag.AlignTop)
            words.setText(value)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.facts.addRow(title, words)
        paths = [str(path) for path in entry.paths]
        self.paths_view.setPlainText("\n".join(paths))
        n_lines = min(_PATHS_SHOWN, max(1, len(paths))) + 1
        self.paths_view.setFixedHeight(self.paths_view.fontMetrics().lineSpacing() * n_lines + 18)
        for widget in (self.paths_title, self.paths_view):
            widget.setVisible(bool(paths))
        self._refresh_figures(entry)
        self._refresh_buttons()

    def _refresh_figures(self, entry: ModelEntry) -> None:
        figures = self._figures
        is_here = not entry.address and not entry.is_missing
        self.fit_title.setVisible(is_here)
        failure = figures.failure if figures is not None else None
        self.failure_label.setVisible(failure is not None)
        if failure is not None:
            self.failure_label.setText(sentence(failure))
        self.fit_panel.setVisible(is_here and failure is None)
        if figures is None or figures.fit is None:
            self.fit_panel.show_waiting()
        else:
            self.fit_panel.show_figures(figures.fit)
        figures = figures or ModelFigures()
        self._say(self.probe_label, figures.probed_bytes, _probed_words(figures))
        self._say(self.loaded_label, figures.loaded_bytes, _loaded_words(figures))
        self._say(self.measured_label, figures.decode_tokens_per_s, _measured_words(figures))

    @staticmethod
    def _say(label: QLabel, value: float | None, words: str) -> None:
        label.setVisible(value is not None)
        label.setText(words)

    def _refresh_buttons(self) -> None:
        entry = self._entry
        if entry is None:
            return
        has_files = not entry.address
        self.chat_button.setEnabled(not entry.is_missing or entry.is_starter)
        self.verify_button.setVisible(has_files)
        self.verify_button.setEnabled(not entry.is_missing and not self._is_working)
        self.move_button.setVisible(has_files and entry.is_ours and not entry.is_starter)
        self.move_button.setEnabled(not entry.is_missing and not self._is_working)
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
        self.remove_button.setText(tr("Remove…"))
        self.fit_title.setText(tr("On this computer"))
        self.paths_title.setText(tr("Files"))
        self.paths_view.setAccessibleName(tr("Files"))
        self._refresh()


def _probed_words(figures: ModelFigures) -> str:
    return tr(
        "llama.cpp itself says: {size} with {n} tokens of context, as it is set now.",
        size=formats.size(figures.probed_bytes or 0),
        n=formats.number(figures.probed_ctx_tokens),
    )


def _loaded_words(figures: ModelFigures) -> str:
    size, n = formats.size(figures.loaded_bytes or 0), formats.number(figures.loaded_ctx_tokens)
    if figures.is_loaded:
        return tr("Loaded: it takes {size} with {n} tokens of context.", size=size, n=n)
    return tr("When it was last loaded, it took {size} with {n} tokens of context.", size=size, n=n)


def _measured_words(figures: ModelFigures) -> str:
    rate = formats.decimal(figures.decode_tokens_per_s or 0.0)
    if figures.prefill_tokens_per_s is None:
        return tr("Measured: {rate} tokens/s when answering.", rate=rate)
    return tr(
        "Measured: {rate} tokens/s when answering, {prefill} when reading.",
        rate=rate,
        prefill=formats.decimal(figures.prefill_tokens_per_s, 0),
    )


def _label() -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label
