"""The library: which models there are, where they lie, whether they are intact, and what each can do here."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from model_manager.types import ModelEntry
from ui import formats, icons, theme
from ui.i18n import tr, trn
from ui.library.entry_panel import EntryPanel
from ui.library.entry_words import entry_face, entry_faces
from ui.library.face_view import FaceView
from ui.library.values import ModelFigures, Shelf
from ui.question import Question

_TWO_COLUMNS_PX = 720


class ModelFile:
    """Choosing a file of this computer."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        path, _ = QFileDialog.getOpenFileName(
            parent, tr("Import a model"), "", f"{tr('GGUF models')} (*.gguf);;{tr('All files')} (*)"
        )
        return path


class TargetFolder:
    """Choosing where a model is moved to."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        return QFileDialog.getExistingDirectory(parent, tr("Move the model to"), "")


class LibraryPage(QWidget):
    """The entries, and beside them the one that is looked at.

    Signals:
        import_requested: Path of a file; it stays where it is.
        verify_requested, remove_requested: Name of an entry; removing was confirmed.
        move_requested: Name of an entry, the folder.
        chat_requested: Name of an entry.
        annotate_requested: Name of an entry, tuple of tags, note.
        figures_requested: Name of an entry that is looked at.
        discover_requested: The way to get more.
    """

    import_requested = Signal(str)
    verify_requested = Signal(str)
    remove_requested = Signal(str)
    move_requested = Signal(str, str)
    chat_requested = Signal(str)
    annotate_requested = Signal(str, object, str)
    figures_requested = Signal(str)
    discover_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shelf = Shelf()
        self._progress: dict[str, int] = {}
        self._build()
        self._connect()
        self._retranslate()

    def _build(self) -> None:
        self.filter_field = QLineEdit()
        self.filter_field.setClearButtonEnabled(True)
        self.import_button = QPushButton(icons.icon("import"), "")
        self.discover_button = QPushButton(icons.icon("download"), "")
        self.sum_label = QLabel()
        self.sum_label.setProperty("muted", True)
        self.sum_label.setWordWrap(True)
        self.empty_label = QLabel()
        self.empty_label.setProperty("muted", True)
        self.empty_label.setWordWrap(True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.view = FaceView()
        self.panel = EntryPanel()
        self.panel.hide()

        row = QHBoxLayout()
        row.setSpacing(theme.SPACING)
        row.addWidget(self.filter_field, 1)
        row.addWidget(self.import_button)
        row.addWidget(self.discover_button)
        self.list_side = QWidget()
        side = QVBoxLayout(self.list_side)
        side.setContentsMargins(20, 12, 20, 12)
        side.setSpacing(theme.SPACING)
        side.addLayout(row)
        side.addWidget(self.sum_label)
        side.addWidget(self.empty_label, 1)
        side.addWidget(self.view, 1)
        columns = QHBoxLayout(self)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(0)
        columns.addWidget(self.list_side, 5)
        columns.addWidget(self.panel, 4)

    def _connect(self) -> None:
        self.filter_field.textChanged.connect(self._show_rows)
        self.import_button.clicked.connect(self._on_import)
        self.discover_button.clicked.connect(self.discover_requested)
        self.view.face_chosen.connect(self.open_entry)
        self.view.current_key_changed.connect(self._on_current)
        self.view.delete_key_pressed.connect(self._on_remove)
        panel = self.panel
        panel.annotate_requested.connect(self.annotate_requested)
        panel.close_requested.connect(self.close_entry)
        panel.chat_requested.connect(lambda: self._with_entry(self.chat_requested.emit))
        panel.verify_requested.connect(lambda: self._with_entry(self.verify_requested.emit))
        panel.remove_requested.connect(lambda: self._with_entry(self._on_remove))
        panel.move_requested.connect(lambda: self._with_entry(self._on_move))
        self.filter_field.installEventFilter(self)

    # --- values in ---

    def set_shelf(self, shelf: Shelf) -> None:
        """What the library holds, in its order."""
        self._shelf = shelf
        shown = self.panel.entry()
        if shown is not None:
            entry = self._entry(shown.name)
            if entry is None:
                self.close_entry()
            elif entry != shown:
                self.panel.show_entry(entry)
        self._show_rows()

    def set_progress(self, name: str, permille: int | None) -> None:
        """How far the work with an entry has come; None when it has ended."""
        if permille is None:
            self._progress.pop(name, None)
        else:
            self._progress[name] = permille
        shown = self.panel.entry()
        self.panel.set_working(shown is not None and shown.name in self._progress)
        entry = self._entry(name)
        if entry is not None:
            self.view.faces.replace(entry_face(entry, permille))

    def show_figures(self, name: str, figures: ModelFigures) -> None:
        """What is known of an entry."""
        self.panel.show_figures(name, figures)

    # --- what a person does ---

    def open_entry(self, name: str) -> None:
        """Show an entry in full."""
        entry = self._entry(name)
        if entry is None:
            return
        self.panel.show_entry(entry)
        self.panel.set_working(name in self._progress)
        self.panel.show()
        self._arrange()
        self.view.set_current_key(name)
        if not self.list_side.isVisibleTo(self):
            self.panel.close_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self.figures_requested.emit(name)

    def close_entry(self) -> None:
        """Show the list alone."""
        self.panel.notes.keep()
        self.panel.hide()
        self._arrange()
        self.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def take_focus(self) -> None:
        """Put the keyboard where one begins."""
        self.view.enter()

    def _on_current(self, key: object) -> None:
        # Beside an open panel, the arrow keys move through the entries in full.
        shown = self.panel.entry()
        is_beside = self.panel.isVisibleTo(self) and self.list_side.isVisibleTo(self)
        if is_beside and isinstance(key, str) and (shown is None or shown.name != key):
            self.open_entry(key)

    def _on_import(self) -> None:
        path = ModelFile.ask(self)
        if path:
            self.import_requested.emit(path)

    def _on_move(self, name: str) -> None:
        folder = TargetFolder.ask(self)
        if folder:
            self.move_requested.emit(name, folder)

    def _on_remove(self, name: str) -> None:
        entry = self._entry(name)
        if entry is None or entry.is_starter or name in self._progress:
            return
        if entry.is_ours and not entry.is_missing:
            consequence = tr(
                "Its files are deleted, which frees {size}.", size=formats.size(entry.size_bytes)
            )
        else:
            consequence = tr("Only the entry is removed; the file stays where it is.")
        if Question.ask(self, tr("Remove “{name}”?", name=name), consequence, tr("Remove")):
            self.remove_requested.emit(name)

    def _with_entry(self, act: Callable[[str], object]) -> None:
        entry = self.panel.entry()
        if entry is not None:
            act(entry.name)

    def _entry(self, name: str) -> ModelEntry | None:
        return next((entry for entry in self._shelf.entries if entry.name == name), None)

    # --- what is shown ---

    def _show_rows(self) -> None:
        faces = entry_faces(self._shelf, self.filter_field.text(), self._progress)
        self.view.set_faces(faces)
        self.view.setVisible(bool(faces))
        self.empty_label.setVisible(not faces)
        if self._shelf.entries:
            self.empty_label.setText(tr("Nothing found for “{text}”.", text=self.filter_field.text()))
        else:
            self.empty_label.setText(tr("No models yet. Import a GGUF file or download one."))
        self._show_sum()

    def _show_sum(self) -> None:
        entries = self._shelf.entries
        files = {
            path: entry.size_bytes for entry in entries if not entry.is_missing for path in entry.paths[:1]
        }
        total = formats.size(sum(files.values()))
        parts = [trn("{n} model, {size}", "{n} models, {size}", len(entries), size=total)]
        if self._shelf.models_dir is not None:
            parts.append(
                tr(
                    "{size} free in {path}",
                    size=formats.size(self._shelf.free_bytes),
                    path=self._shelf.models_dir,
                )
            )
        self.sum_label.setText(" · ".join(parts))

    def _arrange(self) -> None:
        """The panel stands beside the list where there is room for both, else in its place."""
        is_wide = self.width() >= _TWO_COLUMNS_PX
        self.list_side.setVisible(is_wide or self.panel.isHidden())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if (
            watched is self.filter_field
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
        ):
            if event.key() == Qt.Key.Key_Escape and self.filter_field.text():
                self.filter_field.clear()
                return True
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return):
                self.view.enter()
                return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and not self.panel.isHidden():
            self.close_entry()
            return
        super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.filter_field.setPlaceholderText(tr("Find in the library"))
        self.filter_field.setAccessibleName(tr("Find in the library"))
        self.import_button.setText(tr("Import a file…"))
        self.discover_button.setText(tr("Discover…"))
        self.view.setAccessibleName(tr("Models of this computer"))
        self._show_rows()
