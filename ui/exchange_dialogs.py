"""Where a person says what to import, and where to export to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from storage.records import Conversation
from ui.commands import Command
from ui.conversation_list import shown_title
from ui.i18n import marked, tr

if TYPE_CHECKING:
    from ui.training_dialog import TrainingChoice

_SUFFIXES: Final = {"markdown": ".md", "html": ".html", "pdf": ".pdf", "json": ".json"}


class ImportFile:
    """Choosing an exported file."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        kinds = f"{tr('Exports')} (*.zip *.json *.jsonl *.chat *.db *.sqlite);;{tr('All files')} (*)"
        path, _ = QFileDialog.getOpenFileName(parent, tr("Import conversations"), "", kinds)
        return path


class ImportFolder:
    """Choosing a folder of another program."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        return QFileDialog.getExistingDirectory(parent, tr("Import conversations"), "")


class ExportFile:
    """Choosing where one conversation goes, and as what."""

    @classmethod
    def ask(cls, parent: QWidget, name: str) -> tuple[str, str]:
        """Wait for a choice; the path and the format, both empty when there was none."""
        names = {
            "markdown": "Markdown",
            "html": tr("Web page"),
            "pdf": "PDF",
            "json": tr("JSON, with everything"),
        }
        filters = {f"{names[kind]} (*{suffix})": kind for kind, suffix in _SUFFIXES.items()}
        path, chosen = QFileDialog.getSaveFileName(
            parent, tr("Export the conversation"), f"{name}.md", ";;".join(filters)
        )
        return (path, filters.get(chosen, "markdown")) if path else ("", "")


class ExportAllFile:
    """Choosing where all conversations go."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        path, _ = QFileDialog.getSaveFileName(
            parent, tr("Export all conversations"), "coterie.json", f"{tr('JSON, with everything')} (*.json)"
        )
        return path


class ExamplesFile:
    """Choosing where examples for training go."""

    @classmethod
    def ask(cls, parent: QWidget) -> str:
        """Wait for a choice; the path, or "" when there was none."""
        path, _ = QFileDialog.getSaveFileName(
            parent, tr("Export for training"), "coterie.jsonl", "JSON Lines (*.jsonl)"
        )
        return path


class ExchangeDialogs(QObject):
    """The window's commands for import and export, and their dialogs.

    Signals:
        import_requested: Path of a file or folder.
        export_requested: Conversation id, format, path.
        export_all_requested: Path.
        examples_requested: `TrainingChoice`, path.
    """

    import_requested = Signal(str)
    export_requested = Signal(object, str, str)
    export_all_requested = Signal(str)
    examples_requested = Signal(object, str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window

    def commands(self, export_current: Callable[[], None]) -> list[Command]:
        """For the window's menu; `export_current` exports the conversation that is shown, if any."""
        return [
            Command(marked("Export conversation…"), ("Ctrl+Shift+E",), export_current),
            Command(marked("Export all conversations…"), (), self.export_all),
            Command(marked("Export for training…"), (), self.export_examples),
            Command(marked("Import conversations…"), ("Ctrl+Shift+I",), self.import_file),
            Command(marked("Import from a folder…"), (), self.import_folder),
            Command(""),
        ]

    def import_file(self) -> None:
        """Ask for an exported file."""
        if path := ImportFile.ask(self._window):
            self.import_requested.emit(path)

    def import_folder(self) -> None:
        """Ask for a folder of another program."""
        if path := ImportFolder.ask(self._window):
            self.import_requested.emit(path)

    def export(self, conversation: Conversation) -> None:
        """Ask where a conversation goes."""
        path, kind = ExportFile.ask(self._window, _file_name(shown_title(conversation)))
        if path:
            self.export_requested.emit(conversation.id, kind, _with_suffix(path, _SUFFIXES[kind]))

    def export_all(self) -> None:
        """Ask where all conversations go."""
        if path := ExportAllFile.ask(self._window):
            self.export_all_requested.emit(_with_suffix(path, ".json"))

    def export_examples(self) -> None:
        """Ask what examples for training shall be, then where they go."""
        from ui.training_dialog import TrainingDialog  # so that the window starts fast

        dialog = TrainingDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chosen.connect(self._on_examples)
        dialog.open()

    def _on_examples(self, choice: TrainingChoice) -> None:
        if path := ExamplesFile.ask(self._window):
            self.examples_requested.emit(choice, path if path.endswith(".jsonl") else f"{path}.jsonl")


def _with_suffix(path: str, suffix: str) -> str:
    """With the format's ending, where the name has that of another format or none."""
    given = Path(path)
    if given.suffix.lower() in (".htm", suffix):
        return path
    return str(given.with_suffix(suffix) if given.suffix in _SUFFIXES.values() else Path(path + suffix))


def _file_name(title: str) -> str:
    """A title as the name of a file that every system takes."""
    kept = "".join(" " if letter in '<>:"/\\|?*' or not letter.isprintable() else letter for letter in title)
    return " ".join(kept.split()).strip(". ")[:80] or "coterie"
