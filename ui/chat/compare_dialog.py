"""Two versions of an answer side by side, with what only one of them says marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui import formats, theme
from ui.i18n import marked, tr
from ui.values import ComparedText, Comparison

_MARK = 0.22
_PARTS = (("text", marked("Answer")), ("reasoning", marked("Reasoning")))


class CompareDialog(QDialog):
    """Chooses two of the versions; shows them once they have been compared.

    Signals:
        wanted: id (int) of the version on the left, of the one on the right.
    """

    wanted = Signal(object, object)

    def __init__(self, version_ids: Sequence[int], first_id: int, parent: QWidget | None = None) -> None:
        """Make it; `compare` asks for the first two.

        Args:
            version_ids: All versions of an answer, at least two.
            first_id: The one on the left; beside it stands the next one, else the one before.
            parent: The window.
        """
        super().__init__(parent)
        self._ids = tuple(version_ids)
        self._texts: dict[str, ComparedText] = {}
        at = self._ids.index(first_id)
        self.choices = (QComboBox(), QComboBox())
        self.views = (QTextEdit(), QTextEdit())
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(2 * theme.SPACING)
        self._facts.setVerticalSpacing(2)
        self.tabs = {part: QToolButton() for part, _ in _PARTS}
        self.same_label = QLabel()
        self.same_label.setProperty("muted", True)
        self.close_button = QPushButton()
        self.close_button.setAutoDefault(False)
        group = QButtonGroup(self)
        bar = QHBoxLayout()
        for part, tab in self.tabs.items():
            tab.setObjectName("tab")
            tab.setCheckable(True)
            group.addButton(tab)
            tab.clicked.connect(lambda _checked=False, part=part: self._show(part))
            bar.addWidget(tab)
        bar.addStretch(1)
        bar.addWidget(self.same_label)
        sides = QGridLayout()
        sides.setHorizontalSpacing(theme.SPACING)
        sides.setVerticalSpacing(theme.SPACING)
        for column, (choice, view) in enumerate(zip(self.choices, self.views, strict=True)):
            for number, id_ in enumerate(self._ids, start=1):
                choice.addItem("", id_)
                choice.setItemData(number - 1, number, Qt.ItemDataRole.UserRole + 1)
            choice.setCurrentIndex(at if column == 0 else (at + 1 if at + 1 < len(self._ids) else at - 1))
            choice.currentIndexChanged.connect(lambda _index: self.compare())
            view.setReadOnly(True)
            sides.addWidget(choice, 0, column)
            sides.addWidget(view, 1, column)
            sides.setColumnStretch(column, 1)
        sides.setRowStretch(1, 1)
        for one, other in (self.views, self.views[::-1]):
            one.verticalScrollBar().valueChanged.connect(
                lambda _value, one=one, other=other: _follow(one, other)
            )
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        page = QVBoxLayout(self)
        page.setContentsMargins(20, 16, 20, 16)
        page.setSpacing(theme.SPACING)
        page.addLayout(self._facts)
        page.addSpacing(theme.SPACING)
        page.addLayout(bar)
        page.addLayout(sides, 1)
        page.addLayout(buttons)
        self.resize(900, 600)
        self.setMinimumSize(520, 380)
        self.close_button.clicked.connect(self.close)
        self.retranslate()

    def compare(self) -> None:
        """Ask for the two that are chosen."""
        first, second = (choice.currentData() for choice in self.choices)
        self.wanted.emit(first, second)

    def set_comparison(self, found: Comparison) -> None:
        """Show it; one of versions that are no longer chosen is ignored."""
        if (found.first_id, found.second_id) != tuple(choice.currentData() for choice in self.choices):
            return
        self._texts = {text.part: text for text in found.texts}
        self._set_facts(found.facts)
        chosen = next((part for part, tab in self.tabs.items() if tab.isChecked()), "text")
        for part, tab in self.tabs.items():
            tab.setVisible(part in self._texts)
        self._show(chosen if chosen in self._texts else next(iter(self._texts), "text"))

    def _set_facts(self, facts: Iterable[tuple[str, str, str]]) -> None:
        while (item := self._facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for row, texts in enumerate(facts):
            for column, text in enumerate(texts):
                label = QLabel(text)
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setProperty("muted", column == 0)
                self._facts.addWidget(label, row, column)
        self._facts.setColumnStretch(3, 1)

    def _show(self, part: str) -> None:
        self.tabs[part].setChecked(True)
        text = self._texts.get(part)
        colors = theme.colors()
        sides = (text.first, text.second) if text is not None else ((), ())
        for view, side, color in zip(self.views, sides, (colors.error, colors.success), strict=True):
            _write(view, side, color)
        share = formats.decimal(100 * text.similarity, 0) if text is not None else ""
        self.same_label.setText(tr("{share} % the same", share=share) if text is not None else "")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def retranslate(self) -> None:
        """Write all words in the language in use."""
        self.setWindowTitle(tr("Compare versions"))
        self.close_button.setText(tr("Close"))
        for part, name in _PARTS:
            self.tabs[part].setText(tr(name))
        for choice, view in zip(self.choices, self.views, strict=True):
            choice.setAccessibleName(tr("Version"))
            view.setAccessibleName(tr("Answer"))
            for number in range(1, len(self._ids) + 1):
                choice.setItemText(number - 1, tr("Version {n} of {total}", n=number, total=len(self._ids)))


def _write(view: QTextEdit, side: Sequence[tuple[str, bool]], color: QColor) -> None:
    view.clear()
    mark = QTextCharFormat()
    mark.setBackground(theme.with_alpha(color, _MARK))
    mark.setFontUnderline(True)  # colours alone are not seen by everybody
    cursor = view.textCursor()
    for text, is_own in side:
        cursor.insertText(text, mark if is_own else QTextCharFormat())
    cursor.movePosition(QTextCursor.MoveOperation.Start)
    view.setTextCursor(cursor)


def _follow(one: QTextEdit, other: QTextEdit) -> None:
    """The same share of both is above."""
    here, there = one.verticalScrollBar(), other.verticalScrollBar()
    value = round(there.maximum() * here.value() / here.maximum()) if here.maximum() else 0
    if there.value() != value:
        there.blockSignals(True)
        there.setValue(value)
        there.blockSignals(False)
        other.viewport().update()
