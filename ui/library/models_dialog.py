"""The library: which models there are, where they lie, and whether they are intact."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from model_manager.types import ModelEntry
from ui import formats, icons, theme
from ui.i18n import tr, trn
from ui.library.cards import Cards
from ui.library.model_rows import ModelRow
from ui.question import Question


class ModelFile:
    """Choosing a file of this computer."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        path, _ = QFileDialog.getOpenFileName(
            parent, tr("Import a model"), "", f"{tr('GGUF models')} (*.gguf);;{tr('All files')} (*)"
        )
        return path


class ModelsDialog(QDialog):
    """The entries of the library with what can be done to them.

    Signals:
        import_requested: Path of a file; it stays where it is.
        verify_requested, remove_requested: Name of an entry; removing was confirmed.
        downloads_requested: The way to get more.
    """

    import_requested = Signal(str)
    verify_requested = Signal(str)
    remove_requested = Signal(str)
    downloads_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: dict[str, ModelEntry] = {}
        self.sum_label = QLabel()
        self.sum_label.setProperty("muted", True)
        self.import_button = QPushButton(icons.icon("import"), "")
        self.download_button = QPushButton(icons.icon("download"), "")
        self.cards = Cards()
        top = QHBoxLayout()
        top.setSpacing(theme.SPACING)
        top.addWidget(self.sum_label, 1)
        top.addWidget(self.import_button)
        top.addWidget(self.download_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 20)
        column.setSpacing(12)
        column.addLayout(top)
        column.addWidget(self.cards, 1)
        self.resize(660, 520)
        self.setMinimumSize(460, 320)
        self.import_button.setAutoDefault(False)
        self.download_button.setAutoDefault(False)
        self.import_button.clicked.connect(self._on_import)
        self.download_button.clicked.connect(self.downloads_requested)
        self._retranslate()

    def set_models(self, entries: Sequence[ModelEntry]) -> None:
        """What the library holds, in its order."""
        names = [entry.name for entry in entries]
        kept = [key for key in self.cards.all_keys() if key in names]
        if names[: len(kept)] != kept:
            kept = []  # another order: all rows are made anew
        stale = [key for key in self.cards.all_keys() if key not in kept]
        for key in stale:
            self.cards.remove(key)
        self._entries = {entry.name: entry for entry in entries}
        for entry in entries:
            row = self.cards.card(entry.name)
            if isinstance(row, ModelRow):
                row.set_entry(entry)
                continue
            row = ModelRow(entry)
            row.verify_requested.connect(self.verify_requested)
            row.remove_requested.connect(self._on_remove)
            self.cards.add(entry.name, row)
        self._show_sum()

    def set_progress(self, name: str, permille: int | None) -> None:
        """How far the verification of an entry has come; None when it has ended."""
        row = self.cards.card(name)
        if isinstance(row, ModelRow):
            row.set_progress(permille)

    def _on_import(self) -> None:
        path = ModelFile.ask(self)
        if path:
            self.import_requested.emit(path)

    def _on_remove(self, name: str) -> None:
        entry = self._entries[name]
        if entry.is_ours and not entry.is_missing:
            consequence = tr(
                "Its files are deleted, which frees {size}.", size=formats.size(entry.size_bytes)
            )
        else:
            consequence = tr("Only the entry is removed; the file stays where it is.")
        if Question.ask(self, tr("Remove “{name}”?", name=name), consequence, tr("Remove")):
            self.remove_requested.emit(name)

    def _show_sum(self) -> None:
        entries = self._entries.values()
        total = formats.size(sum(entry.size_bytes for entry in entries if not entry.is_missing))
        self.sum_label.setText(trn("{n} model, {size}", "{n} models, {size}", len(entries), size=total))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.setWindowTitle(tr("Models"))
        self.import_button.setText(tr("Import a file…"))
        self.download_button.setText(tr("Download…"))
        self.cards.empty_label.setText(tr("No models yet. Import a GGUF file or download one."))
        self._show_sum()
