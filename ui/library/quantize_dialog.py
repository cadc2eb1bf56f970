"""What a smaller file of a model is to be like."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from model_manager.types import ModelEntry
from ui import offer_words, theme
from ui.i18n import tr
from ui.library.values import QuantizeWish

CHOICES: Final = (
    ("Q8_0", "same", 0.0026),
    ("Q6_K", "same", 0.0217),
    ("Q5_K_M", "near", 0.0569),
    ("Q4_K_M", "good", 0.1754),
    ("Q4_0", "fair", 0.4685),
    ("Q3_K_M", "fair", 0.6569),
    ("Q2_K", "broken", 3.5199),
)
"""Types of the whole, and what each costs as `model_manager.quantizations` has it; llama.cpp makes more."""
_USUAL: Final = "Q4_K_M"
_OF_TENSORS: Final = ("Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K")


class QuantizeDialog(QDialog):
    """Asks for types: of the whole, of the experts, of the attention, of single tensors.

    Signals:
        wanted: A `QuantizeWish`, once, when it shall be made.
    """

    wanted = Signal(object)

    def __init__(self, entry: ModelEntry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Make “{name}” smaller", name=entry.name))
        self.whole_box = QComboBox()
        for name, grade, increase in CHOICES:
            self.whole_box.addItem(f"{name}: {offer_words.quality(grade, increase)}", name)
        self.whole_box.setCurrentIndex(self.whole_box.findData(_USUAL))
        self.experts_box = _tensor_box()
        self.attention_box = _tensor_box()
        self.tensors_field = QLineEdit()
        self.tensors_field.setPlaceholderText("ffn_down_exps=Q6_K  blk\\.0\\.=Q8_0")
        self.name_field = QLineEdit()
        self.name_field.setPlaceholderText(tr("named after the model and its new type"))
        self.problem_label = QLabel()
        self.problem_label.setProperty("tone", "error")
        self.problem_label.setWordWrap(True)
        self.problem_label.hide()
        words = QLabel(
            tr("A new file is made beside the old one, which stays. “Stop” on the model's page ends it.")
        )
        words.setProperty("muted", True)
        words.setWordWrap(True)
        buttons = QDialogButtonBox()
        self.make_button = buttons.addButton(tr("Make it"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.cancel_button = buttons.addButton(tr("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        self.make_button.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)

        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(6)
        for text, field, is_shown in (
            (tr("Type of the whole"), self.whole_box, True),
            (tr("Experts"), self.experts_box, bool(entry.n_experts)),
            (tr("Attention"), self.attention_box, True),
            (tr("Single tensors: pattern=type, with spaces between"), self.tensors_field, True),
            (tr("Name"), self.name_field, True),
        ):
            label = QLabel(text)
            label.setBuddy(field)
            label.setVisible(is_shown)
            field.setVisible(is_shown)
            field.setAccessibleName(text)
            column.addWidget(label)
            column.addWidget(field)
            if is_shown:
                column.addSpacing(theme.SPACING)
        column.addWidget(self.problem_label)
        column.addWidget(words)
        column.addStretch(1)
        column.addSpacing(theme.SPACING)
        column.addWidget(buttons)
        self.setMinimumWidth(460)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def accept(self) -> None:
        pairs = [word.rpartition("=") for word in self.tensors_field.text().split()]
        wrong = next(("".join(pair) for pair in pairs if not all(pair)), None)
        if wrong is not None:
            words = tr("“{text}” is no pattern=type, such as ffn_down_exps=Q4_K.", text=wrong)
            self.problem_label.setText(words)
            self.problem_label.show()
            self.tensors_field.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        super().accept()
        self.wanted.emit(
            QuantizeWish(
                str(self.whole_box.currentData()),
                experts=self.experts_box.currentData(),
                attention=self.attention_box.currentData(),
                tensors=tuple((pattern, kind) for pattern, _equals, kind in pairs),
                output=self.name_field.text().strip() or None,
            )
        )


def _tensor_box() -> QComboBox:
    box = QComboBox()
    box.addItem(tr("as the whole"), None)
    for name in _OF_TENSORS:
        box.addItem(name, name)
    return box
