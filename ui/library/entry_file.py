"""What a model's files say of themselves: licence, chat template, number formats, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from ui import file_words, formats, theme
from ui.i18n import tr
from ui.library.fact_table import FactTable
from ui.library.values import FileFigures

_PATHS_SHOWN = 4
_CHANGES_SHOWN = 10


class EntryFile(QWidget):
    """The files of an entry."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._file: FileFigures | None = None
        self.title_label = QLabel()
        self.title_label.setProperty("heading", True)
        self.table = FactTable()
        self.template_label = QLabel()
        self.template_label.setWordWrap(True)
        self.template_label.setTextFormat(Qt.TextFormat.PlainText)
        self.template_label.setProperty("tone", "warning")
        self.changes_button = QPushButton()
        self.changes_button.setCheckable(True)
        self.changes_view = _text_view()
        self.paths_view = _text_view()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.title_label)
        column.addWidget(self.table)
        column.addWidget(self.template_label)
        column.addWidget(self.changes_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.changes_view)
        column.addWidget(self.paths_view)
        self.changes_button.toggled.connect(self.changes_view.setVisible)
        self._retranslate()

    def show_paths(self, paths: Sequence[Path]) -> None:
        """Where the files are."""
        _fill(self.paths_view, [str(path) for path in paths], _PATHS_SHOWN)
        self.setVisible(bool(paths))

    def show_file(self, file: FileFigures | None) -> None:
        """What they say; None while they are being read, or cannot be."""
        self._file = file
        self.table.set_rows(_rows(file) if file is not None else [])
        is_different = file is not None and file.template_verdict == "different"
        self.template_label.setVisible(is_different)
        if file is not None:
            words = f"{tr('Template')}: {_template_words(file)}"
            self.template_label.setText(f"{words}\n{file_words.template_advice()}")
        has_changes = is_different and file is not None and bool(file.template_changes)
        self.changes_button.setVisible(has_changes)
        self.changes_button.setChecked(False)
        self.changes_view.hide()
        if has_changes and file is not None:
            _fill(self.changes_view, list(change_lines(file)), _CHANGES_SHOWN)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.title_label.setText(tr("Files"))
        self.paths_view.setAccessibleName(tr("Files"))
        self.changes_button.setText(tr("Show the difference"))
        self.changes_view.setAccessibleName(tr("How the template differs:"))
        self.show_file(self._file)


def change_lines(file: FileFigures) -> Sequence[str]:
    """Lines of this file's template in full; of those that it lacks how many, for nobody has their text."""
    lines: list[str] = []
    for at_line, n_missing, own in file.template_changes:
        if n_missing:
            lines.append("- " + tr("({n} lines of {name})", n=n_missing, name=file.template_expected))
        lines += [f"+ {at_line + i:<4} {line}" for i, line in enumerate(own)]
    return lines


def _rows(file: FileFigures) -> list[tuple[str, str]]:
    rows = [(tr("Licence"), file.license or tr("not told"))]
    if file.template_verdict != "different":
        rows.append((tr("Template"), _template_words(file)))
    for share in file.shares:
        types = ", ".join(f"{name} × {n_tensors}" for name, n_tensors in share.types)
        name = file_words.tensor_class(share.kind)
        rows.append((f"{name[:1].upper()}{name[1:]}", f"{formats.size(share.size_bytes)}, {types}"))
    return rows


def _template_words(file: FileFigures) -> str:
    return file_words.template(
        file.template_verdict, file.template_known_as, file.template_expected, len(file.template_changes)
    )


def _text_view() -> QPlainTextEdit:
    view = QPlainTextEdit()
    view.setReadOnly(True)
    view.setTabChangesFocus(True)
    return view


def _fill(view: QPlainTextEdit, lines: Sequence[str], n_most: int) -> None:
    view.setPlainText("\n".join(lines))
    n_shown = min(n_most, max(1, len(lines))) + 1
    view.setFixedHeight(view.fontMetrics().lineSpacing() * n_shown + 18)
