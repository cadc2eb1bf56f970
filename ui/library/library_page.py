"""The library: which models there are, where they lie, whether they are intact, and what each can do here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from model_manager.types import DuplicateGroup, ModelEntry
from ui import formats, icons, theme
from ui.buttons import IconButton
from ui.i18n import tr, trn
from ui.library.entry_panel import EntryPanel
from ui.library.entry_words import duplicate_faces, entry_face, entry_faces
from ui.library.face_view import FaceView
from ui.library.quantize_dialog import QuantizeDialog
from ui.library.values import ModelFigures, Shelf
from ui.question import Question
from ui.search_field import SearchField

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


class Folder:
    """Choosing a folder of this computer."""

    @classmethod
    def ask(cls, parent: QWidget, title: str) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        return QFileDialog.getExistingDirectory(parent, title, "")


class LibraryPage(QWidget):
    """The entries, and beside them the one that is looked at.

    Signals:
        import_requested: Path of a file; it stays where it is.
        import_from_requested: Key of another program, or a folder; all files stay where they are.
        duplicates_requested: Which models are here twice.
        verify_requested: Name of an entry.
        remove_requested: Name of an entry, whether files of another program go, too; it was confirmed.
        move_requested: Name of an entry, the folder.
        quantize_requested: Name of an entry, `QuantizeWish`.
        undo_move_requested: Name of an entry whose move was cut off.
        stop_requested: Name of an entry; what is going on with its files shall end.
        chat_requested: Name of an entry.
        annotate_requested: Name of an entry, tuple of tags, note.
        figures_requested: Name of an entry that is looked at.
        discover_requested: The way to get more.
    """

    import_requested = Signal(str)
    verify_requested = Signal(str)
    import_from_requested = Signal(str)
    duplicates_requested = Signal()
    remove_requested = Signal(str, bool)
    move_requested = Signal(str, str)
    quantize_requested = Signal(str, object)
    undo_move_requested = Signal(str)
    stop_requested = Signal(str)
    chat_requested = Signal(str)
    annotate_requested = Signal(str, object, str)
    figures_requested = Signal(str)
    discover_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shelf = Shelf()
        self._progress: dict[str, int] = {}
        self._duplicates: Sequence[DuplicateGroup] | None = None
        self._build()
        self._connect()
        self._retranslate()

    def _build(self) -> None:
        self.filter_field = SearchField()
        self.import_button = QPushButton(icons.icon("import"), "")
        self.import_menu = QMenu(self.import_button)
        self.import_button.setMenu(self.import_menu)
        self.duplicates_button = IconButton("copy", role="text_muted")
        self.all_button = QPushButton()
        self.all_button.hide()
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
        row.addWidget(self.duplicates_button)
        self.list_side = QWidget()
        side = QVBoxLayout(self.list_side)
        side.setContentsMargins(20, 12, 20, 12)
        side.setSpacing(theme.SPACING)
        side.addLayout(row)
        side.addWidget(self.sum_label)
        side.addWidget(self.all_button, 0, Qt.AlignmentFlag.AlignLeft)
        side.addWidget(self.empty_label, 1)
        side.addWidget(self.view, 1)
        columns = QHBoxLayout(self)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(0)
        columns.addWidget(self.list_side, 5)
        columns.addWidget(self.panel, 4)

    def _connect(self) -> None:
        self.filter_field.textChanged.connect(self._show_rows)
        self.import_menu.aboutToShow.connect(self._fill_import_menu)
        self.duplicates_button.clicked.connect(self.duplicates_requested)
        self.all_button.clicked.connect(lambda: self.set_duplicates(None))
        self.discover_button.clicked.connect(self.discover_requested)
        self.view.face_chosen.connect(self.open_entry)
        self.view.current_key_changed.connect(self._on_current)
        self.view.delete_key_pressed.connect(self.remove_entry)
        panel = self.panel
        panel.annotate_requested.connect(self.annotate_requested)
        panel.close_requested.connect(self.close_entry)
        panel.chat_requested.connect(lambda: self._with_entry(self.chat_requested.emit))
        panel.verify_requested.connect(lambda: self._with_entry(self.verify_requested.emit))
        panel.remove_requested.connect(lambda: self._with_entry(self.remove_entry))
        panel.move_requested.connect(lambda: self._with_entry(self._on_move))
        panel.quantize_requested.connect(self._on_quantize)
        panel.finish_move_requested.connect(self._on_finish_move)
        panel.undo_move_requested.connect(lambda: self._with_entry(self.undo_move_requested.emit))
        panel.stop_requested.connect(lambda: self._with_entry(self.stop_requested.emit))
        self.filter_field.left_downwards.connect(self.view.enter)
        self.filter_field.returnPressed.connect(self.view.enter)

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

    def set_duplicates(self, groups: Sequence[DuplicateGroup] | None) -> None:
        """Show only what is here twice, by its bytes; None shows all again."""
        self._duplicates = groups
        self._show_rows()

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

    def _fill_import_menu(self) -> None:
        menu = self.import_menu
        menu.clear()
        menu.addAction(tr("A file…")).triggered.connect(self._on_import)
        menu.addAction(tr("A folder…")).triggered.connect(self._on_import_folder)
        if self._shelf.stores:
            menu.addSeparator()
        for store in self._shelf.stores:
            action = menu.addAction(tr("All models of {program}", program=store.title))
            action.setToolTip("\n".join(map(str, store.folders)))
            action.triggered.connect(
                lambda _checked=False, key=store.key: self.import_from_requested.emit(key)
            )

    def _on_import(self) -> None:
        path = ModelFile.ask(self)
        if path:
            self.import_requested.emit(path)

    def _on_import_folder(self) -> None:
        folder = Folder.ask(self, tr("Import all models of a folder"))
        if folder:
            self.import_from_requested.emit(folder)

    def _on_finish_move(self) -> None:
        entry = self.panel.entry()
        if entry is not None and entry.moving_to is not None:
            self.move_requested.emit(entry.name, str(entry.moving_to))

    def _on_quantize(self) -> None:
        entry = self.panel.entry()
        if entry is not None:
            dialog = QuantizeDialog(entry, self)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.wanted.connect(lambda wish: self.quantize_requested.emit(entry.name, wish))
            dialog.open()

    def _on_move(self, name: str) -> None:
        folder = Folder.ask(self, tr("Move the model to"))
        if folder:
            self.move_requested.emit(name, folder)

    def remove_entry(self, name: str) -> None:
        """Ask what shall go, and say so; files of other programs go only by a button that says that."""
        entry = self._entry(name)
        if entry is None or entry.is_starter or name in self._progress:
            return
        question, size = tr("Remove “{name}”?", name=name), formats.size(entry.size_bytes)
        if entry.address or entry.is_missing:
            consequence = tr("Only the entry is removed.")
            pressed = Question.ask_which(self, question, consequence, [tr("Remove")])
        elif entry.is_ours:
            consequence = tr("Its files are deleted, which frees {size}.", size=size)
            pressed = Question.ask_which(self, question, consequence, [tr("Remove")])
        else:
            consequence = tr(
                "Another program or you put its files there. They can stay, or be deleted for good, which"
                " frees {size} and takes the model from that program, too.",
                size=size,
            )
            ways = [tr("Remove the entry only"), tr("Delete the files, too")]
            pressed = Question.ask_which(self, question, consequence, ways)
        if pressed is not None:
            self.remove_requested.emit(name, pressed == 1)

    def _with_entry(self, act: Callable[[str], object]) -> None:
        entry = self.panel.entry()
        if entry is not None:
            act(entry.name)

    def _entry(self, name: str) -> ModelEntry | None:
        return next((entry for entry in self._shelf.entries if entry.name == name), None)

    # --- what is shown ---

    def _show_rows(self) -> None:
        if self._duplicates is None:
            faces = entry_faces(self._shelf, self.filter_field.text(), self._progress)
        else:
            faces = duplicate_faces(self._shelf, self._duplicates, self._progress)
        self.all_button.setVisible(self._duplicates is not None)
        self.filter_field.setEnabled(self._duplicates is None)
        self.view.set_faces(faces)
        self.view.setVisible(bool(faces))
        self.empty_label.setVisible(not faces)
        if self._duplicates is not None:
            self.empty_label.setText(tr("No model is here twice."))
        elif self._shelf.entries:
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
        self.import_button.setText(tr("Import"))
        self.all_button.setText(tr("Show all models"))
        self.duplicates_button.set_name(tr("Find models that are here twice"))
        self.discover_button.setText(tr("Discover…"))
        self.view.setAccessibleName(tr("Models of this computer"))
        self._show_rows()
