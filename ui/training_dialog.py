"""What conversations must be to become examples for training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ui import theme
from ui.forms import add_row, new_form
from ui.i18n import marked, tr

Shape = Literal["openai", "sharegpt"]

_SHAPES: Final[tuple[tuple[Shape, str], ...]] = (("openai", "OpenAI"), ("sharegpt", "ShareGPT"))
_MOST_CHARACTERS: Final = 100_000_000
_ANY: Final = marked("any")


@dataclass(frozen=True, slots=True)
class TrainingChoice:
    """What a person asked for.

    Attributes:
        min_characters: Of the answers of an example.
        max_characters: Of the whole example; 0 is any.
        similarity: Share in common with an earlier example from which on one is left out; 1: only the same.
        min_rating: None is any.
        max_entropy_bits: Of the choice of a token, on average; None is any.
    """

    shape: Shape
    min_characters: int
    max_characters: int
    similarity: float
    min_rating: int | None
    max_entropy_bits: float | None
    with_reasoning: bool


class TrainingDialog(QDialog):
    """A form with what is usual filled in.

    Signals:
        chosen: `TrainingChoice`.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setProperty("muted", True)
        self.shape_box = QComboBox()
        for shape, name in _SHAPES:
            self.shape_box.addItem(name, shape)
        self.least_field = _number(1)
        self.most_field = _number(0)
        self.similarity_field = QSpinBox()
        self.similarity_field.setRange(1, 100)
        self.similarity_field.setValue(80)
        self.similarity_field.setSuffix(" %")
        self.entropy_field = QDoubleSpinBox()
        self.entropy_field.setRange(0.0, 20.0)
        self.entropy_field.setSingleStep(0.1)
        self.rating_box = QCheckBox()
        self.rating_box.setChecked(True)
        self.reasoning_box = QCheckBox()
        for field in (self.least_field, self.most_field, self.similarity_field, self.entropy_field):
            field.lineEdit().setTextMargins(6, 0, 0, 0)
        self.export_button = QPushButton()
        self.export_button.setProperty("primary", True)
        self.cancel_button = QPushButton()
        self._build()
        self.export_button.clicked.connect(self._on_export)
        self.cancel_button.clicked.connect(self.close)
        self._retranslate()

    def choice(self) -> TrainingChoice:
        """What is asked for now."""
        entropy = self.entropy_field.value()
        return TrainingChoice(
            self.shape_box.currentData(),
            self.least_field.value(),
            self.most_field.value(),
            self.similarity_field.value() / 100,
            1 if self.rating_box.isChecked() else None,
            entropy if entropy > 0 else None,
            self.reasoning_box.isChecked(),
        )

    def _build(self) -> None:
        form = new_form()
        for text, field in (
            (marked("Format"), self.shape_box),
            (marked("Characters of the answers, at least"), self.least_field),
            (marked("Characters in all, at most"), self.most_field),
            (marked("Leave out what is like another by"), self.similarity_field),
            (marked("Bits a token was chosen with, at most"), self.entropy_field),
        ):
            add_row(form, text, field)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.export_button)
        page = QVBoxLayout(self)
        page.setContentsMargins(20, 16, 20, 16)
        page.setSpacing(theme.SPACING)
        page.addWidget(self.words)
        page.addLayout(form)
        page.addWidget(self.rating_box)
        page.addWidget(self.reasoning_box)
        page.addStretch(1)
        page.addLayout(buttons)
        self.setMinimumWidth(520)
        self.cancel_button.setAutoDefault(False)

    def _on_export(self) -> None:
        self.chosen.emit(self.choice())
        self.close()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()

    def _retranslate(self) -> None:
        self.setWindowTitle(tr("Export for training"))
        self.words.setText(
            tr("Each conversation becomes one example: the shown branch up to its last whole answer.")
        )
        for field in (self.most_field, self.entropy_field):
            field.setSpecialValueText(tr(_ANY))
        self.rating_box.setText(tr("Leave out answers that were rated badly"))
        self.reasoning_box.setText(tr("Put the reasoning before each answer"))
        self.cancel_button.setText(tr("Cancel"))
        self.export_button.setText(tr("Export…"))


def _number(least: int) -> QSpinBox:
    field = QSpinBox()
    field.setRange(least, _MOST_CHARACTERS)
    field.setSingleStep(100)
    field.setGroupSeparatorShown(True)
    return field
