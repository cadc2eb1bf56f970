"""What the forms of dialogs are made of: headings, rows, and words that follow the language."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QFormLayout, QLabel, QVBoxLayout, QWidget

from ui import theme
from ui.i18n import tr

LABEL_WIDTH = 130


class TranslatedLabel(QLabel):
    """Writes its words anew when the language changes, and names the field that it stands for after them."""

    def __init__(self, text: str, field: QWidget | None = None) -> None:
        """Make it.

        Args:
            text: Marked for translation, in English.
            field: What it stands for, which its letter and a screen reader lead to; None for a heading.
        """
        super().__init__()
        self._text = text
        if field is not None:
            self.setBuddy(field)
        self._retranslate()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.setText(tr(self._text))
        if self.buddy() is not None:
            self.buddy().setAccessibleName(tr(self._text))


def add_heading(column: QVBoxLayout, text: str) -> None:
    """Begin another part of a page; the first one stands at its top."""
    if column.count():
        column.addSpacing(12)
    label = TranslatedLabel(text)
    label.setFont(theme.font(1.08, label.font().Weight.DemiBold))
    column.addWidget(label)


def new_form(parent: QWidget | None = None) -> QFormLayout:
    """Rows of a label and a field that fills the rest of the line."""
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setHorizontalSpacing(16)
    form.setVerticalSpacing(theme.SPACING)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    return form


def add_row(
    form: QFormLayout,
    text: str,
    field: QWidget,
    *,
    buddy: QWidget | None = None,
    label_width: int = LABEL_WIDTH,
) -> None:
    """A row; `buddy` is what the label leads to where `field` holds several."""
    label = TranslatedLabel(text, buddy or field)
    label.setMinimumWidth(label_width)
    form.addRow(label, field)
