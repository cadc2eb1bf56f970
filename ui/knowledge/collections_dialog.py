"""Making collections of documents: what belongs to them, and how far reading them has come."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.i18n import tr, trn
from ui.knowledge.document_tree import DocumentTree
from ui.knowledge.values import CollectionRow, SourceRows
from ui.question import Question

_MODEL_CHARACTERS = 36


class CollectionsDialog(QDialog):
    """One collection at a time, chosen above.

    Signals:
        documents_wanted: Name of a collection whose documents are to be shown.
        add_requested: Name (a new one makes a collection), list of paths.
        refresh_requested: Name.
        model_chosen: Name, name of a model or "" for words alone.
        source_removed: Name, path.
        remove_requested: Name; it was confirmed.
        stop_requested: The reading shall end.
    """

    documents_wanted = Signal(str)
    add_requested = Signal(str, object)
    refresh_requested = Signal(str)
    model_chosen = Signal(str, str)
    source_removed = Signal(str, str)
    remove_requested = Signal(str)
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, CollectionRow] = {}
        self._new = ""
        self._is_busy = False
        self.names = QComboBox()
        self.names.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.new_button = QPushButton()
        self.remove_button = QPushButton()
        self.words = QLabel()
        self.words.setProperty("muted", True)
        self.words.setWordWrap(True)
        self.tree = DocumentTree()
        self.files_button = QPushButton()
        self.folder_button = QPushButton()
        self.source_button = QPushButton()
        self.refresh_button = QPushButton()
        self.models_label = QLabel()
        self.models = QComboBox()
        self.models.setMinimumContentsLength(_MODEL_CHARACTERS)
        self.models.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.models_label.setBuddy(self.models)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setTextFormat(Qt.TextFormat.PlainText)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.stop_button = QPushButton()
        self.close_button = QPushButton()
        for button in self.findChildren(QPushButton) + self._buttons():
            button.setAutoDefault(False)
        page = QVBoxLayout(self)
        page.setContentsMargins(20, 16, 20, 16)
        page.setSpacing(theme.SPACING)
        page.addLayout(_row(self.names, self.new_button, self.remove_button, first=1))
        page.addWidget(self.words)
        page.addWidget(self.tree, 1)
        page.addLayout(
            _row(self.files_button, self.folder_button, self.refresh_button, self.source_button, first=0)
        )
        page.addSpacing(theme.SPACING)
        page.addLayout(_row(self.models_label, self.models, first=0))
        page.addWidget(self.told)
        page.addLayout(_row(self.bar, self.stop_button, first=1))
        page.addLayout(_row(QWidget(), self.close_button, first=1))
        self.resize(660, 520)
        self.setMinimumSize(520, 400)
        self.names.currentIndexChanged.connect(lambda _index: self._on_name())
        self.models.activated.connect(self._on_model)
        self.new_button.clicked.connect(self._on_new)
        self.remove_button.clicked.connect(self._on_remove)
        self.files_button.clicked.connect(self._on_files)
        self.folder_button.clicked.connect(self._on_folder)
        self.source_button.clicked.connect(self._on_source_removed)
        self.refresh_button.clicked.connect(lambda: self.refresh_requested.emit(self.name()))
        self.stop_button.clicked.connect(self.stop_requested)
        self.close_button.clicked.connect(self.close)
        self.tree.itemSelectionChanged.connect(self._show_buttons)
        self.retranslate()
        self.set_progress("", None)
        self.set_collections(())

    def _buttons(self) -> list[QPushButton]:
        return [
            *(self.new_button, self.remove_button, self.files_button, self.folder_button, self.source_button),
            *(self.refresh_button, self.stop_button, self.close_button),
        ]

    def name(self) -> str:
        """Of the collection that is shown, or of the one that what is added next will make."""
        return str(self.names.currentData() or "")

    def set_collections(self, rows: Sequence[CollectionRow], name: str = "") -> None:
        """Show these, and of them the one of this name; "" stays where it is."""
        name = name or self.name()
        self._rows = {row.name: row for row in rows}
        if self._new in self._rows:
            self._new = ""
        self.names.blockSignals(True)
        self.names.clear()
        pending = self._new or ("" if self._rows else tr("Documents"))
        for known in [*self._rows, *([pending] if pending else [])]:
            self.names.addItem(known, known)
        self.names.setCurrentIndex(max(0, self.names.findData(name)))
        self.names.blockSignals(False)
        self._on_name()

    def set_models(self, names: Sequence[str]) -> None:
        """Who may compute vectors."""
        self.models.clear()
        self.models.addItem(tr("Words alone"), "")
        for name in names:
            self.models.addItem(tr("Words and meaning ({name})", name=name), name)
        self._say()

    def set_documents(self, name: str, sources: Sequence[SourceRows]) -> None:
        """What belongs to a collection; ignored where another is shown by now."""
        if name == self.name():
            self.tree.set_sources(sources)
            self._show_buttons()

    def set_progress(self, words: str, permille: int | None) -> None:
        """What is being done, and how much of it is done: -1 where that is not known; None: nothing is."""
        self._is_busy = permille is not None
        self.told.setText(words)
        self.told.setVisible(bool(words))
        self.bar.setVisible(self._is_busy)
        self.stop_button.setVisible(self._is_busy)
        self.bar.setRange(0, 0 if permille == -1 else 1000)
        self.bar.setValue(max(0, permille or 0))
        self._show_buttons()

    def _on_name(self) -> None:
        self.tree.set_sources(())
        self._say()
        self._show_buttons()
        if self.name() in self._rows:
            self.documents_wanted.emit(self.name())

    def _on_new(self) -> None:
        name, is_given = QInputDialog.getText(self, tr("New collection"), tr("Its name"))
        if is_given and name.strip():
            self._new = name.strip()
            self.set_collections(tuple(self._rows.values()), self._new)

    def _on_remove(self) -> None:
        if Question.ask(
            self,
            tr("Remove the collection “{name}”?", name=self.name()),
            tr("What was indexed is forgotten; the files stay where they are."),
            tr("Remove"),
        ):
            self.remove_requested.emit(self.name())

    def _on_files(self) -> None:
        kinds = "*.txt *.md *.html *.htm *.pdf *.docx"
        filters = f"{tr('Documents')} ({kinds});;{tr('All files')} (*)"
        paths, _ = QFileDialog.getOpenFileNames(self, tr("Add files"), "", filters)
        if paths:
            self.add_requested.emit(self.name(), paths)

    def _on_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("Add a folder"), ""):
            self.add_requested.emit(self.name(), [path])

    def _on_source_removed(self) -> None:
        if path := self.tree.source():
            self.source_removed.emit(self.name(), path)

    def _on_model(self) -> None:
        self.model_chosen.emit(self.name(), str(self.models.currentData() or ""))

    def _show_buttons(self) -> None:
        is_there, is_free = self.name() in self._rows, not self._is_busy
        for widget in (self.names, self.new_button, self.files_button, self.folder_button):
            widget.setEnabled(is_free)
        for widget in (self.remove_button, self.refresh_button, self.models):
            widget.setEnabled(is_free and is_there)
        self.source_button.setEnabled(is_free and is_there and bool(self.tree.source()))

    def _say(self) -> None:
        row = self._rows.get(self.name())
        self.models.setCurrentIndex(max(0, self.models.findData(row.model if row else "")))
        if row is None:
            self.words.setText(
                tr(
                    "Add text, Markdown, HTML, PDF and Word files, or source code."
                    " All of it stays on this computer."
                )
            )
            return
        parts = [
            trn("{n} document", "{n} documents", row.n_documents),
            trn("{n} passage", "{n} passages", row.n_passages),
        ]
        if row.model and row.n_vectors < row.n_passages:
            parts.append(tr("{n} of them searched by meaning so far", n=row.n_vectors))
        self.words.setText(" · ".join(parts))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def retranslate(self) -> None:
        """Write all words in the language in use."""
        self.setWindowTitle(tr("Documents"))
        self.names.setAccessibleName(tr("Collection"))
        self.new_button.setText(tr("New…"))
        self.remove_button.setText(tr("Remove…"))
        self.tree.setAccessibleName(tr("Documents"))
        self.files_button.setText(tr("Add files…"))
        self.folder_button.setText(tr("Add a folder…"))
        self.refresh_button.setText(tr("Read again"))
        self.source_button.setText(tr("Take out"))
        self.models_label.setText(tr("Search by"))
        self.stop_button.setText(tr("Stop"))
        self.close_button.setText(tr("Close"))
        self._say()


def _row(*widgets: QWidget, first: int) -> QHBoxLayout:
    """A line of widgets; `first` is the stretch of the first, 0 leaves room at the end."""
    row = QHBoxLayout()
    row.setSpacing(theme.SPACING)
    for number, widget in enumerate(widgets):
        row.addWidget(widget, first if number == 0 else 0)
    if not first:
        row.addStretch(1)
    return row
